"""The part of `hak report` on a terminal that tells of memory: mapped, given back, learned."""

from typing import Optional

from rich.text import Text

from hak import times, ui
from hak.geometry import Names, class_name
from hak.model import Report
from hak.reporters import split_rich
from hak.reporters.tables import SHOWN, heading, known, level, more, table

NAMES = {'TINY': 'SuperSlabs', 'MID': 'mid', 'LARGE': 'large', 'HUGE': 'huge'}
WORDS = Names(CAP_KNOB='the knob', CAP_API='the program', CAP_DEMAND='demand',
              CAP_IDLE='idleness', SIZE_MAP_RATE='map rate', SIZE_LOW_OCCUPANCY='low occupancy',
              SIZE_MAP_FAIL='the system refused more')


WHYS = {'DUMP_SESSION': 'a session began', 'DUMP_PERIODIC': 'every few seconds',
        'DUMP_OOM': 'out of memory', 'DUMP_PRESSURE': 'pressure', 'DUMP_API': 'the program',
        'DUMP_MAP_FAIL': 'the system refused memory',
        'DUMP_AFTERWARDS': 'something went wrong before', 'DUMP_GROWN': 'it had grown',
        'DUMP_EXIT': 'its end'}
LIMITS = {'PRESSURE_CGROUP': "the cgroup's memory.max", 'PRESSURE_AS': 'ulimit -v'}


def draw(report: Report, console) -> None:
    pressure(report.pressure, report.begin, console)
    split_rich.draw(report, console)
    _layers(report, console)
    _dumps(report, console)
    _ace_failures(report, console)
    _superslabs(report, console)
    _caps(report, console)


def _layers(report: Report, console) -> None:
    if not report.memory:
        return
    heading(console, 'Memory')
    several = len(report.processes) > 1
    shown = table('of', *(['pid'] if several else []), 'peak', 'now', 'maps', 'unmaps',
                  'purges', 'purged')
    for row in report.memory[:SHOWN]:
        shown.add_row(NAMES.get(row['layer'], row['layer']), *([str(row['pid'])] if several else []),
                      ui.size(row['peak']), ui.size(row['mapped']), ui.number(row['maps']),
                      ui.number(row['unmaps']), ui.number(row['purges']),
                      ui.size(row['purge_bytes']))
    console.print(shown)
    more(console, len(report.memory), 'layer')
    for series in report.memory_over_time[:1 if several else SHOWN]:
        _over_time(series, several, console)


def middle(pid: int, base: Optional[int], begin: int) -> str:
    return (f'process {pid}: recorded from the middle; '
            + ('no state dump says what was there' if base is None
               else f'base: dump at {times.since(base, begin)} s'))


def pressure(rows: list, begin: int, console) -> None:
    if not rows:
        return
    heading(console, 'Memory came near to a limit')
    shown = table('at', 'pid', 'per cent', 'of', 'used', 'limit', 'RSS')
    shown.columns[3].justify = 'left'
    for row in rows[:SHOWN]:
        shown.add_row(times.since(row['time'], begin), str(row['pid']), f'{row["percent"]} %',
                      LIMITS.get(row['what'], row['what']), ui.size(row['used']),
                      ui.size(row['limit']), ui.size(row['rss']))
    console.print(shown)
    more(console, len(rows), 'time')


def _dumps(report: Report, console) -> None:
    """How the state went from dump to dump."""
    if not report.dumps:
        return
    heading(console, 'State dumps')
    several = len(report.processes) > 1
    shown = table('at', *(['pid'] if several else []), 'RSS', 'mapped', 'live', 'purged',
                  'SuperSlabs', 'slabs', 'ACTIVE', 'because')
    shown.columns[-1].justify = 'left'
    for row in _spread(report.dumps):
        shown.add_row(times.since(row['begin'], report.begin), *([str(row['pid'])] if several else []),
                      *(known(row[key], ui.size)
                        for key in ('rss', 'mapped', 'live', 'purged_bytes')),
                      *(known(row[key], ui.number) for key in ('superslabs', 'slabs', 'active')),
                      WHYS.get(row['why'], row['why']) + ('' if row['complete'] else ', incomplete'))
    console.print(shown)


def _spread(rows: list) -> list:
    """As many as are shown, the first and the last among them."""
    last = min(len(rows), SHOWN) - 1
    return [rows[n * (len(rows) - 1) // last] for n in range(last + 1)] if last else rows


def _over_time(series: dict, several: bool, console) -> None:
    whose = f' of process {series["pid"]}' if several else ''
    mapped, purged = ('tiny', 'mid', 'large', 'huge'), ('returned',)
    most = max(_sum(part, mapped) for part in series['parts'])
    for what, keys in (('mapped', mapped), ('of it purged', purged)):
        values = [_sum(part, keys) for part in series['parts']]
        if any(values):
            console.print(f'{"".join(level(value, most) for value in values)} {what}{whose}, '
                          f'{ui.size(_sum(series["last"], keys))} at the end', soft_wrap=True)


def _sum(part: dict, keys: tuple) -> int:
    return sum(part[key] for key in keys)


def _ace_failures(report: Report, console) -> None:
    if not report.ace_failures:
        return
    heading(console, 'Refused by a layer')
    shown = table('layer', 'reason', 'errno', 'requests', 'smallest', 'largest', 'used', 'limit',
                  left=3)
    for row in report.ace_failures[:SHOWN]:
        shown.add_row(NAMES.get(row['layer'], row['layer'].lower()),
                      row['reason'].removesuffix('_OS').lower()
                      + (' (passed on)' if row['passed_on'] else ''), row['errno'] or '-',
                      ui.number(row['count']), ui.size(row['smallest']), ui.size(row['largest']),
                      ui.size(row['used']), ui.size(row['limit']) if row['limit'] else '-')
    console.print(shown)
    more(console, len(report.ace_failures), 'reason')


def _superslabs(report: Report, console) -> None:
    if report.superslabs:
        heading(console, 'SuperSlabs mapped')
        shown = table('size', 'kind', 'mapped', 'unmapped', 'slabs', 'mean', left=2)
        for row in report.superslabs:
            shown.add_row(ui.size(row['bytes']), row['kind'].lower(), ui.number(row['count']),
                          ui.number(row['unmapped']), ui.number(row['slabs']),
                          ui.duration(row['mean_ns']))
        console.print(shown)
    for cls in dict.fromkeys(row['cls'] for row in report.sizes):
        _sizes_of(cls, report, console)


def _sizes_of(cls: int, report: Report, console) -> None:
    changes = [row for row in report.sizes if row['cls'] == cls]
    maps = [f'{ui.number(row["maps"])} of {ui.size(row["bytes"])}'
            for row in report.class_sizes if row['cls'] == cls]
    steps = ', '.join(f'{ui.size(row["to"])} at {times.since(row["time"], report.begin)} '
                      f'({WORDS[row["why"]]})' for row in changes[:SHOWN])
    left = f', {len(changes) - SHOWN} changes more' if len(changes) > SHOWN else ''
    console.print(f'{class_name(cls)} mapped {" and ".join(maps) or "none"}: '
                  f'{ui.size(changes[0]["from"])}, then {steps}{left}', soft_wrap=True)


def _caps(report: Report, console) -> None:
    if not report.caps:
        return
    heading(console, 'Soft caps')
    shown = table('class', 'first', 'most', 'last', 'changes', 'the last by', 'at', 'demand')
    for cls in sorted({row['cls'] for row in report.caps}):
        rows = [row for row in report.caps if row['cls'] == cls]
        last = rows[-1]
        shown.add_row(class_name(cls), ui.number(rows[0]['from']),
                      ui.number(max(max(row['from'], row['to']) for row in rows)),
                      ui.number(last['to']), ui.number(len(rows)), WORDS[last['why']],
                      times.since(last['time'], report.begin),
                      ui.number(last['demand']) if last['demand'] else '-')
    console.print(shown)
    if any(row['to'] == 0 for row in report.caps):
        console.print(Text('0: no cap', 'dim'))
