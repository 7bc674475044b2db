"""Asks all rules about all processes."""

from collections.abc import Iterable
from dataclasses import replace

from hak.db import Scope
from hak.oom import churn, growth, layers, limits, misuse, refused, waste
from hak.oom.facts import Facts
from hak.oom.verdict import CAUSES, Answer, Evidence, Insufficient, ProcessVerdict, Verdict
from hak.reading import Source

RULES = (refused, layers, limits, growth, waste, misuse, churn)
# Causes that explain half and more of what went wrong come before those that explain some of it;
# among their like, the first in time comes first.
MUCH, SOME = 0.5, 0.1
# Causes that make memory grow, or requests fail, without a leak: then a guess at one is dropped.
OTHERS = {*waste.CAUSES, 'stranded_empty', 'not_us', 'map_fail_injected',
          'map_fail_max_map_count', 'map_fail_overcommit'}
GUESS_MOST = 0.5
# Of the confidence, that is left where events were lost.
LOSSY = 0.8


def judge(source: Source, trace: str) -> list[ProcessVerdict]:
    """`trace`: what to call it, where other commands are told to look at it."""
    rows = source.db.processes(Scope())
    last = {row['pid']: row['proc'] for row in rows}
    answers = [(row, _process(Facts(source.db, row, trace))) for row in rows]
    # What a process was before it executed another program matters only if it was in trouble.
    return [answer for row, answer in answers
            if answer.verdicts or row['proc'] == last[row['pid']]]


def _process(facts: Facts) -> ProcessVerdict:
    answer = ProcessVerdict(facts.process['pid'], facts.process['name'])
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
    for answer in answers:
        whole.warnings += answer.warnings
        for process in answer.processes:
            found.setdefault((process.pid, process.name), []).append(process)
    whole.processes = [_join(said) for said in found.values()]
    return whole


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
    return ProcessVerdict(
        said[0].pid, said[0].name, ranked(map(_clearest, verdicts.values())),
        [each for cause, each in unknown.items() if cause not in ruled_out],
        [cause for cause in CAUSES if cause in ruled_out and cause not in verdicts])


def _clearest(same: list[Verdict]) -> Verdict:
    """The verdict of the recording that shows the cause best, since when any showed it."""
    best = max(same, key=lambda each: (each.confidence * each.weight, each.first_time))
    return replace(best, first_time=min(each.first_time for each in same))
