"""Asks all rules about all processes."""

from collections.abc import Iterable
from dataclasses import replace
from signal import Signals
from typing import Any, Optional

from hak import helpers
from hak.db import Scope
from hak.fate import Fate
from hak.oom import churn, groups, growth, layers, limits, misuse, refused, waste
from hak.oom.facts import Dump, Facts
from hak.oom.verdict import CAUSES, Answer, Evidence, Insufficient, ProcessVerdict, Verdict
from hak.reading import Source

RULES = (refused, layers, groups, limits, growth, waste, misuse, churn)
# Causes that explain half and more of what went wrong come before those that explain some of it;
# among their like, the first in time comes first.
MUCH, SOME = 0.5, 0.1
# Causes that make memory grow, or requests fail, without a leak: then a guess at one is dropped.
OTHERS = {*waste.CAUSES, 'stranded_empty', 'not_us', 'map_fail_injected',
          'map_fail_max_map_count', 'map_fail_overcommit'}
GUESS_MOST = 0.5
# Causes of refusals, which are counted from the recording's begin on.
COUNTED = {*refused.CAUSES, *layers.CAUSES}
# Of a process, from each end of a recording: for others that have none.
LOOKS_MOST = 16
# Of the confidence, that is left where events were lost.
LOSSY = 0.8


# Of processes: what other recordings have of the one with this pid and name.
Elsewhere = dict[tuple[int, str], list[Dump]]


def judge(source: Source, trace: str, fate: Optional[Fate] = None,
          elsewhere: Optional[Elsewhere] = None) -> list[ProcessVerdict]:
    """`trace`: what to call it, where other commands are told to look at it."""
    rows = source.db.processes(Scope())
    last = {row['pid']: row['proc'] for row in rows}
    processes: list[Facts] = []
    for row in rows:
        # What it was before it executed another program had the same limits.
        before = [dump for facts in processes if facts.process['pid'] == row['pid']
                  for dump in facts.looks[-LOOKS_MOST:]]
        processes.append(Facts(source.db, row, trace, fate,
                               [*before, *(elsewhere or {}).get(_key(row), ())]))
    killed = groups.victims(processes, fate)
    for facts in processes:
        facts.killed = killed.get(facts.process['proc'])
    answers = [(facts.process, _process(facts)) for facts in processes]
    small = helpers.find(source.db, fate.pid if fate else None)
    for row, answer in answers:
        answer.helper = row['proc'] in small and not answer.verdicts
    # What a process was before it executed another program matters only if it was in trouble.
    return [_known(answer, row, fate) for row, answer in answers
            if answer.verdicts or row['proc'] == last[row['pid']]]


def _key(row: Any) -> tuple[int, str]:
    return row['pid'], row['name']


def _known(answer: ProcessVerdict, row: Any, fate: Optional[Fate]) -> ProcessVerdict:
    if fate is not None and fate.pid == row['pid']:
        answer.command = fate.argv
        answer.ended = (f'killed by {_signal(-fate.code)}' if fate.code < 0 else
                        f'exit code {fate.code}')
    return answer


def _signal(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f'signal {number}'


def looks(source: Source) -> Elsewhere:
    """What recordings without a dump may be judged by."""
    found: Elsewhere = {}
    for row in source.db.processes(Scope()):
        mine = Facts(source.db, row, '').looks
        some = [*mine[:LOOKS_MOST], *mine[LOOKS_MOST:][-LOOKS_MOST:]]
        found.setdefault(_key(row), []).extend(some)
    return found


def _process(facts: Facts) -> ProcessVerdict:
    answer = ProcessVerdict(facts.process['pid'], facts.process['name'], limits=_limits(facts),
                            split=facts.largest)
    for rule in RULES:
        found = list(rule.judge(facts))
        verdicts = [each for each in found if isinstance(each, Verdict)]
        named = {each.cause for each in verdicts}
        answer.verdicts += verdicts
        answer.insufficient += [each for each in found
                                if isinstance(each, Insufficient) and each.cause not in named]
        told = {each.cause for each in found}
        answer.ruled_out += [cause for cause in rule.CAUSES if cause not in told]
    if facts.lost:
        answer.verdicts = [_with_losses(each, facts) for each in answer.verdicts]
    _drop_guess(answer)
    answer.verdicts = ranked(answer.verdicts)
    return answer


def _limits(facts: Facts) -> dict:
    dump = facts.last_dump
    if dump is None:
        return {}
    told = {key: dump.row[key] for key in ('limit_as', 'max_maps', 'overcommit', 'cgroup_limit')}
    more = ('limit_data', 'limit_memlock', 'limit_stack', 'cgroup', 'cgroup_version')
    return {**told, **({key: dump.limits[key] for key in more} if dump.limits else {})}


def _with_losses(verdict: Verdict, facts: Facts) -> Verdict:
    """Nothing is built on what was lost without saying so."""
    begin = min((row['begin'] for row in facts.losses if row['begin']), default=None)
    warning = Evidence(f'{facts.lost}: what is counted here may be too little', begin, {})
    return replace(verdict, confidence=verdict.confidence * LOSSY,
                   evidence=[*verdict.evidence, warning])


def _drop_guess(answer: ProcessVerdict) -> None:
    """What has another reason has that one."""
    if not any(each.cause in OTHERS for each in answer.verdicts):
        return
    for guess in [each for each in answer.verdicts
                  if each.cause == 'leak' and each.confidence < GUESS_MOST]:
        answer.verdicts.remove(guess)
        answer.insufficient.append(Insufficient('leak', 'live memory grew, but there is another '
                                                'reason', 'hak flight start'))


def ranked(verdicts: Iterable[Verdict]) -> list[Verdict]:
    return sorted(verdicts, key=lambda each: (-_share(each), each.first_time, -each.weight))


def _share(verdict: Verdict) -> int:
    explained = verdict.weight * verdict.confidence
    return 2 if explained >= MUCH else 1 if explained >= SOME else 0


# ---- several recordings of the same processes ----

def joined(answers: list[Answer]) -> Answer:
    """What one recording found, others need not have seen."""
    if len(answers) == 1:
        return answers[0]
    first = min(answers, key=lambda answer: answer.begin)
    whole = Answer(first.trace, first.begin, [])
    found: dict[tuple[int, str], list[ProcessVerdict]] = {}
    for number, answer in enumerate(answers):
        whole.warnings += answer.warnings
        for process in answer.processes:
            found.setdefault((process.pid, process.name), []).append(
                _without_overtaken(process, answers[number + 1:]))
    whole.processes = [_join(said) for said in found.values()]
    return whole


def _without_overtaken(process: ProcessVerdict, later: list[Answer]) -> ProcessVerdict:
    """Without what is said of refusals that a later recording has as well, and more of them."""
    return replace(process, verdicts=[
        verdict for verdict in process.verdicts if verdict.cause not in COUNTED
        or not any(_covers(answer, process, verdict) for answer in later)])


def _covers(answer: Answer, process: ProcessVerdict, verdict: Verdict) -> bool:
    return answer.begin <= verdict.first_time and any(
        (each.pid, each.name) == (process.pid, process.name) and
        (any(known.cause in COUNTED for known in each.verdicts) or
         verdict.cause in each.ruled_out) for each in answer.processes)


def _join(said: list[ProcessVerdict]) -> ProcessVerdict:
    if len(said) == 1:
        return said[0]
    verdicts: dict[str, list[Verdict]] = {}
    for process in said:
        for verdict in process.verdicts:
            verdicts.setdefault(verdict.cause, []).append(verdict)
    unknown = {each.cause: each for process in said for each in process.insufficient
               if each.cause not in verdicts}
    ruled_out = {cause for process in said for cause in process.ruled_out}
    _replace_unknown(verdicts)
    return ProcessVerdict(
        said[0].pid, said[0].name, ranked(map(_clearest, verdicts.values())),
        [each for cause, each in unknown.items() if cause not in ruled_out],
        [cause for cause in CAUSES if cause in ruled_out and cause not in verdicts],
        next((each.ended for each in said if each.ended), ''),
        next((each.command for each in said if each.command), []),
        next((each.limits for each in reversed(said) if each.limits), {}),
        max((each.split for each in said if each.split), key=lambda told: told.rss, default=None),
        all(each.helper for each in said))


def _replace_unknown(verdicts: dict[str, list[Verdict]]) -> None:
    """Of refusals whose limit one recording does not know, and another does."""
    known = [cause for cause in limits.CAUSES if cause != 'map_fail_unknown' and cause in verdicts]
    if known and 'map_fail_unknown' in verdicts:
        first = min(each.first_time for each in verdicts.pop('map_fail_unknown'))
        verdicts[known[0]] = [replace(each, first_time=min(first, each.first_time))
                              for each in verdicts[known[0]]]


def _clearest(same: list[Verdict]) -> Verdict:
    """The verdict of the recording that shows the cause best, since when any showed it."""
    best = max(same, key=lambda each: (each.confidence * each.weight, each.first_time))
    return replace(best, first_time=min(each.first_time for each in same))
