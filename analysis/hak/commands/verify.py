"""hak verify: a proof that a recording follows the state machine, or counterexamples."""

import argparse

from hak import dumps, reading, times, ui
from hak.commands import _trace
from hak.errors import FINDINGS, OK

# Counterexamples that are told, and those that are told with the events around them.
SHOWN, WITH_EVENTS = 20, 3
EPILOG = '''
Every acquire and every transition of every slab is held against what the allocator promises, and
every state dump against the transitions. What events that were lost may explain is counted as
unknown, not as a violation.

Of a process that was recorded from the middle on, the first state dump is what the rest is held
against.

The exit code is 1 if something broke a rule.
'''


def prepare_parser(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    _trace.add_trace(parser)


def run(args: argparse.Namespace) -> int:
    with reading.opened(_trace.request(args), whole=True) as source:
        verdict = _judge(source)
    for text in verdict['warnings']:
        ui.note(f'warning: {text}')
    if args.json:
        ui.print_json(verdict)
    else:
        _print(verdict)
    return FINDINGS if verdict['violations'] else OK


def _judge(source) -> dict:
    meta = source.db.meta
    rows = source.db.violations(explained=False, limit=SHOWN)
    return {
        'trace': str(source.trace),
        'proved': _proved(source),
        'begin': meta['first'],
        'until': meta['last'],
        'whole': bool(meta['whole']) and not source.warnings,
        'checked': {'transitions': meta['checked_transitions'],
                    'acquires': meta['checked_acquires'], 'flows': meta['checked_flows'],
                    'dumped': meta['checked_dumped']},
        'refused': {'told': meta['refused'] - meta['refused_in_sums'], 'count': meta['refused']},
        'bases': dumps.bases(source.db, _trace.Scope()),
        'dumps': source.db.dump_counts(),
        'processes': len(source.db.processes(_trace.Scope())),
        'lives': meta['lives'],
        'carried': meta['carried'],
        'lost': {'events': meta['lost_events'], 'packets': meta['lost_packets'],
                 'uncounted': bool(meta['lost_uncounted']),
                 'state': any(row['state'] for row in source.db.losses()),
                 'doubts': source.doubts},
        'unfinished': meta['unfinished'],
        'violations': meta['violations'],
        'explained': meta['explained'],
        'rules': [dict(row) for row in source.db.violations_by_rule()],
        'counterexamples': [_counterexample(source, row, number < WITH_EVENTS)
                            for number, row in enumerate(rows)],
        'unknown': [_counterexample(source, row, False)
                    for row in source.db.violations(explained=True, limit=SHOWN)],
        'warnings': source.warnings,
    }


def _proved(source) -> bool:
    """Nothing contradicts, and nothing that could is missing."""
    meta = source.db.meta
    return not (meta['violations'] or source.doubts or not meta['whole'] or meta['unknown']
                or any(row['state'] for row in source.db.losses()))


def _counterexample(source, row, with_events: bool) -> dict:
    told = {key: row[key] for key in ('time', 'pid', 'slab', 'gen', 'owner', 'rule', 'seen',
                                      'expected', 'previous', 'previous_time')}
    told['ss'] = None if row['ss'] is None else f'0x{row["ss"]:x}'
    if with_events:
        from hak import around

        told['around'] = around.events(source.folders, row)
    return told


def _print(verdict: dict) -> None:
    ui.say(_summary(verdict))
    for text in [*_limits(verdict), *_middles(verdict)]:
        ui.say(text)
    begin = verdict['begin']
    for told in verdict['counterexamples']:
        ui.say()
        _print_counterexample(told, begin)
    hidden = verdict['violations'] - len(verdict['counterexamples'])
    if hidden > 0:
        ui.say(f'\n… and {ui.counted(hidden, "violation")} more')


def _summary(verdict: dict) -> str:
    checked = verdict['checked']
    what = (f'{ui.counted(checked["transitions"], "slab transition")}, '
            f'{ui.counted(checked["acquires"], "acquire step")} and '
            f'{ui.counted(checked["flows"], "flow event")}{_dumped(verdict)} of '
            f'{ui.counted(verdict["processes"], "process", "processes")}')
    until = ('' if verdict['whole'] else
             f' up to {times.since(verdict["until"], verdict["begin"])} s, where the trace breaks')
    if verdict['violations']:
        rules = ', '.join(f'{row["rule"]} {row["count"]:,}' for row in verdict['rules']
                          if not row['explained'])
        return f'{ui.counted(verdict["violations"], "violation")}{until} in {what}: {rules}'
    if not verdict['proved']:
        return f'no violation{until} in {what}; not proved, since events are or may be missing'
    return (f'proved{until}: {what} follow the state machine, '
            f'{ui.counted(verdict["lives"], "life", "lives")} of slabs')


def _limits(verdict: dict):
    """What the proof cannot speak of."""
    lost = verdict['lost']
    if lost['events'] or lost['packets'] or lost['uncounted']:
        parts = [ui.counted(lost[what], what[:-1]) for what in ('events', 'packets') if lost[what]]
        if lost['uncounted']:
            parts.append(f'an unknown number of {"others" if parts else "events"}')
        text = f'lost: {" and ".join(parts)}'
        if verdict['explained']:
            text += (f'; {ui.counted(verdict["explained"], "contradiction")} that this may explain '
                     f'{"is" if verdict["explained"] == 1 else "are"} unknown, not violations')
        elif not lost['state']:
            text += ', none of them transitions'
        yield text
    refused = verdict['refused']
    if refused['told'] < refused['count']:
        yield (f'told singly: {refused["told"]:,} of '
               f'{ui.counted(refused["count"], "refused acquire")}; of the others, which sums tell, '
               'it is checked that no stage served them')
    if verdict['unfinished']:
        yield (f'from {times.since(verdict["unfinished"], verdict["begin"])} s on events may be missing '
               'that came while the buffers were taken one after the other: not judged')
    if verdict['carried']:
        yield (f'{ui.counted(verdict["carried"], "life", "lives")} began before the recording or in '
               'a loss: their beginning is not judged')


def _dumped(verdict: dict) -> str:
    if not verdict['dumps']['complete']:
        return ''
    return (f', {ui.counted(verdict["dumps"]["complete"], "state dump")} with '
            f'{ui.counted(verdict["checked"]["dumped"], "known slab")},')


def _middles(verdict: dict):
    """From where on the proof holds of what began before the recording."""
    for base in verdict['bases'][:SHOWN]:
        yield f'process {base["pid"]}: recorded from the middle; ' + (
            'no state dump says what was there' if base['time'] is None else
            f'base: dump at {times.since(base["time"], verdict["begin"])} s, '
            f'{ui.counted(base["slabs"], "slab")}')
    hidden = len(verdict['bases']) - SHOWN
    if hidden > 0:
        yield f'… and {ui.counted(hidden, "process", "processes")} more from the middle'
    incomplete = verdict['dumps']['incomplete']
    if incomplete:
        yield (f'{ui.counted(incomplete, "state dump")} incomplete, because the recording ended or '
               'events were lost: not judged')


def _print_counterexample(told: dict, begin: int) -> None:
    where = (f' slab {told["ss"]}:{told["slab"]} gen {told["gen"]}' if told['ss'] else '') + (
        f' owner {told["owner"]}' if told['owner'] is not None else '')
    ui.say(f'{times.since(told["time"], begin)} {told["rule"]}: pid {told["pid"]}{where}')
    ui.say(f'  seen      {told["seen"]}')
    ui.say(f'  expected  {told["expected"]}')
    if told['previous']:
        ui.say(f'  previous  {told["previous"]} at {times.since(told["previous_time"], begin)}')
    for event in told.get('around', ()):
        mark = '>' if event['here'] else ' '
        ui.say(f'  {mark} {times.since(event["time"], begin)} {event["event"]}')
