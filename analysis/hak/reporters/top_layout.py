"""What stands where on the screen of hak top: a snapshot and a view → lines of styled words.

Nothing here knows of terminals. A screen of any size shows the most important of what there is,
and says how much it leaves out.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional

from hak import ui
from hak.geometry import STAGE_NAMES, class_text

NARROWEST, LOWEST = 40, 10
KEYS = 'q quit  ↑↓ process  s sort  c sort classes  space pause  h help'
HELP = (
    'q        quit                      space    pause and go on',
    '↑ ↓      pick a process            s        sort processes by the next column',
    '                                   c        sort classes by the next column',
    'ACTIVE   slabs in use, of CAP that the class may have; 0: no cap',
    'LISTED   EMPTY slabs that stage 1 finds',
    'ACQ/s    slabs acquired; S1% of them from stage 1, the cheapest',
    'LEGACY/s blocks that went to the legacy backend instead; by ACQ/s, processes',
    '         and classes with such come first',
    'FAILS    refusals since the process began; damaged blocks, double and',
    '         invalid frees and NULL since we watch',
    'SFAIL    acquires that every stage refused; LEGACY: see above; both since it began',
    'LISTED, what is purged and used of pools: as of the last state dump, every 5 s',
    'behind   how old the newest of what is shown is',
)

Line = list[tuple[str, str]]   # words and their style


@dataclass
class View:
    """What the user has chosen."""
    pid: Optional[int] = None      # the picked process; None: the first
    sort: int = 0                  # which of PROCESS_SORTS
    class_sort: int = 0
    paused: bool = False
    help: bool = False


@dataclass(frozen=True)
class Column:
    title: str
    width: int
    rank: int                      # the highest goes first where there is no room
    of: Callable[[dict], Any]
    left: bool = False
    bad: bool = False              # anything but nothing is


def _rate(value: Optional[float]) -> str:
    if value is None:
        return '-'
    return f'{value:.1f}' if 0 < value < 9.95 else _short(value)


def _short(value: Optional[float]) -> str:
    """In five characters."""
    if value is None:
        return '-'
    for unit, scale in (('G', 1e9), ('M', 1e6), ('k', 1e3)):
        if value >= 10 * scale:
            return f'{value / scale:.0f}{unit}'
    return f'{value:.0f}'


def _bytes(value: Optional[int]) -> str:
    return '-' if value is None else ui.size(value).replace('iB', '').replace(' ', '')


def _share(part: float, whole: float) -> str:
    return f'{100 * part / whole:.0f}' if whole else '-'


def failures_of(process: dict) -> int:
    counts, ever = process['counts'], process['ever']
    return ever['shared_fail'] + ever['ace_fail'] + sum(
        counts[key] for key in ('hdr_reset', 'double_free', 'invalid_free', 'oom'))


def _active(process: dict) -> int:
    return sum(each['active'] or 0 for each in process['classes'])


PROCESSES = (
    Column('PID', 8, 0, lambda p: p['pid']),
    Column('NAME', 15, 0, lambda p: printable(p['name'] or '?'), left=True),
    Column('RSS', 8, 1, lambda p: _bytes(p['memory'].get('rss'))),
    Column('SUPERSL', 8, 5, lambda p: _bytes(p['memory'].get('superslab_bytes'))),
    Column('ACTIVE', 6, 3, lambda p: _short(_active(p))),
    Column('ACQ/s', 7, 1, lambda p: _rate(p['rates']['acquires'])),
    Column('S1%', 4, 4, lambda p: _share(p['stages']['STAGE_1'], sum(p['stages'].values()))),
    Column('MAPS/s', 6, 6, lambda p: _rate(p['rates']['superslab_maps'])),
    Column('LEGACY/s', 8, 2, lambda p: _rate(p['rates']['legacy'])),
    Column('FAILS', 6, 1, lambda p: _short(failures_of(p)), bad=True),
)
PROCESS_SORTS = (
    ('ACQ/s', lambda p: -p['rates']['acquires'] - p['rates']['legacy']),
    ('RSS', lambda p: -p['memory'].get('rss', 0)),
    ('LEGACY/s', lambda p: -p['rates']['legacy']), ('FAILS', lambda p: -failures_of(p)),
    ('PID', lambda p: p['pid']),
)
CLASSES = (
    Column('CLASS', 14, 0, lambda c: class_text(c['cls']), left=True),
    Column('ACTIVE', 6, 0, lambda c: _short(c['active'])),
    Column('PEAK', 5, 7, lambda c: _short(c['peak'])),
    Column('CAP', 5, 1, lambda c: _short(c['cap'])),
    Column('LISTED', 6, 5, lambda c: _short(c['listed'])),
    Column('ACQ/s', 7, 1, lambda c: _rate(c['acquire_rate'])),
    Column('S1%', 4, 3, lambda c: _share(c['stages']['STAGE_1'], c['acquires'])),
    Column('S3%', 4, 6, lambda c: _share(c['stages']['STAGE_3'], c['acquires'])),
    Column('LEG/s', 6, 4, lambda c: _rate(c['legacy_rate']), bad=True),
    Column('SFAIL', 6, 2, lambda c: _short(c['ever']['shared_fail']), bad=True),
    Column('LEGACY', 6, 2, lambda c: _short(c['ever']['legacy']), bad=True),
)
CLASS_SORTS = (
    ('ACQ/s', lambda c: (-c['legacy_rate'], -c['acquire_rate'])),
    ('ACTIVE', lambda c: -(c['active'] or 0)),
    ('SFAIL', lambda c: -c['ever']['shared_fail']), ('LEGACY', lambda c: -c['ever']['legacy']),
    ('CLASS', lambda c: c['cls']),
)


def screen(told: Optional[dict], state: str, why: str, view: View, width: int,
           height: int) -> list[Line]:
    """At most `height` lines of at most `width` characters."""
    if width < NARROWEST or height < LOWEST:
        return _cut([[(f'hak top needs {NARROWEST}×{LOWEST}', 'bad')]], width, height)
    lines = [_head(told, state, why, view)]
    body = height - 2
    if view.help:
        lines += [[(text, '')] for text in HELP]
    elif told is None or not told['processes']:
        lines += [[], [(_nothing(state), 'dim')]]
    else:
        lines += _body(told, view, width, body)
    lines = lines[:height - 1]
    lines += [[] for _ in range(height - 1 - len(lines))]
    return _cut([*lines, [(KEYS, 'dim')]], width, height)


def sorted_processes(told: dict, view: View) -> list[dict]:
    _, key = PROCESS_SORTS[view.sort % len(PROCESS_SORTS)]
    return sorted(told['processes'], key=lambda p: (p['ended'], key(p), p['pid']))


def picked(processes: list[dict], view: View) -> int:
    """Place of the picked process; the first if it has gone."""
    return next((at for at, each in enumerate(processes) if each['pid'] == view.pid), 0)


def printable(text: str) -> str:
    return ''.join(char if char.isprintable() else '?' for char in text)


def _nothing(state: str) -> str:
    if state == 'ended':
        return 'Waiting for a session.'
    return 'No process has told anything yet. Programs find the session by `hak env`.'


def _head(told: Optional[dict], state: str, why: str, view: View) -> Line:
    line = [(' hak top ', 'title'), (' ', '')]
    if state == 'ended':
        return [*line, (f'ended: {printable(why)}; waiting for the next session', 'bad')]
    line.append(('paused' if view.paused else state, 'warn' if view.paused else 'good'))
    if told is None or not told['time']:
        return line
    line.append((time.strftime('  %H:%M:%S', time.localtime(told['time'] // 10**9)), ''))
    behind = told['behind'] or 0
    line.append((f'  {behind:.1f} s behind', 'warn' if behind > 3 else 'dim'))
    living = sum(not process['ended'] for process in told['processes'])
    line.append((f'  {ui.counted(living, "process", "processes")}', ''))
    lost = told['lost']
    if lost['events'] or lost['packets']:
        line.append((f'  LOST {_short(lost["events"])} events {_short(lost["packets"])} packets: '
                     'more happened', 'bad'))
    else:
        line.append(('  nothing lost', 'dim'))
    return line


def _body(told: dict, view: View, width: int, room: int) -> list[Line]:
    processes = sorted_processes(told, view)
    at = picked(processes, view)
    process = processes[at]
    failures = told['failures']
    # Three headings, three lines about the picked process.
    rows = max(3, room - 6)
    for_processes = min(len(processes), max(1, rows // 4))
    for_failures = min(max(1, len(failures)), max(1, rows // 4))
    first = max(0, at - for_processes + 1)
    lines = [_heading(PROCESSES, PROCESS_SORTS[view.sort % len(PROCESS_SORTS)][0], width,
                      len(processes) - for_processes)]
    for each in processes[first:first + for_processes]:
        style = 'pick' if each is process else 'dim' if each['ended'] else ''
        lines.append(_row(PROCESSES, each, width, style))
    lines += _about(process)
    lines += _classes(process, view, width, rows - for_processes - for_failures)
    lines.append([('LAST FAILURES', 'head')])
    lines += [_failure(failure) for failure in failures[:for_failures]]
    if not failures:
        lines.append([('none', 'good')])
    return lines


def _about(process: dict) -> list[Line]:
    memory = process['memory']
    name = f"{process['pid']} {printable(process['name'] or '?')}"
    facts = [f'RSS {_bytes(memory.get("rss"))}',
             f'SuperSlabs {_bytes(memory.get("superslab_bytes"))}',
             f'purged {_bytes(memory.get("purged_bytes"))}']
    for pool in process['pools']:
        if pool.get('mapped'):
            limit = f' of {_bytes(pool["limit"])}' if pool.get('limit') else ''
            facts.append(f"{pool['layer'].lower()} {_bytes(pool.get('used'))}{limit}")
    total = sum(process['stages'].values())
    stages = '  '.join(f'{STAGE_NAMES[stage]}: {_share(count, total)} %'
                       for stage, count in process['stages'].items() if count)
    return [_where(process), [(name, 'head'), ('  ' + '  '.join(facts), '')],
            [('stages  ', 'head'), (stages or 'no slab acquired yet', ''),
             (f'   of {ui.number(total)}' if total else '', 'dim'),
             (_flow(process['rates']), '')]]


def _where(process: dict) -> Line:
    """Where the memory went, the largest first; as of the last state dump."""
    told = process['split']
    if not told:
        return []
    parts = {**told['parts'], 'files': told['file']}
    ranked = sorted(parts, key=lambda part: -parts[part])
    return [('memory  ', 'head'), ('  '.join(f'{part.replace("_", " ")} {_bytes(parts[part])}'
                                             for part in ranked if parts[part] >= 1 << 16), '')]


def _flow(rates: dict) -> str:
    """Blocks between slabs and thread caches, where the session records them."""
    taken, given = rates['blocks_refilled'], rates['blocks_drained']
    return f'   blocks taken {_rate(taken)}/s given {_rate(given)}/s' if taken or given else ''


def _classes(process: dict, view: View, width: int, room: int) -> list[Line]:
    title, key = CLASS_SORTS[view.class_sort % len(CLASS_SORTS)]
    used = [each for each in process['classes'] if each['active'] or each['acquires']
            or each['peak'] or any(each['ever'].values())]
    used.sort(key=lambda each: (key(each), each['cls']))
    lines = [_heading(CLASSES, title, width, len(used) - room)]
    return lines + [_row(CLASSES, each, width, '') for each in used[:room]]


def _heading(columns: Sequence, sort: str, width: int, hidden: int) -> Line:
    line = []
    for column in _that_fit(columns, width):
        more = f' +{hidden} more' if column.left and hidden > 0 else ''
        line.append((_fitted(column.title + more, column) + ' ',
                     'sort' if column.title == sort else 'head'))
    return line


def _row(columns: Sequence, row: dict, width: int, style: str) -> Line:
    line = []
    for column in _that_fit(columns, width):
        text = str(column.of(row))
        bad = column.bad and text not in ('0', '-') and style != 'pick'
        line.append((_fitted(text, column) + ' ', 'bad' if bad else style))
    return line


def _that_fit(columns: Sequence, width: int) -> list[Column]:
    chosen = list(columns)
    while len(chosen) > 2 and sum(column.width + 1 for column in chosen) > width:
        chosen.remove(max(chosen, key=lambda column: column.rank))
    return chosen


def _fitted(text: str, column: Column) -> str:
    text = text[:column.width]
    return text.ljust(column.width) if column.left else text.rjust(column.width)


def _failure(failure: dict) -> Line:
    when = time.strftime('%H:%M:%S', time.localtime(failure['time'] // 10**9))
    times = f" ×{_short(failure['count'])}" if failure['count'] > 1 else ''
    return [(f'{when} ', 'dim'), (f"{failure['event']}{times} ", 'bad'),
            (f"{failure['pid']} {printable(failure['text'])}", '')]


def _cut(lines: list[Line], width: int, height: int) -> list[Line]:
    cut = []
    for line in lines[:height]:
        room, words = width, []
        for text, style in line:
            words.append((text[:room], style))
            room -= len(words[-1][0])
        cut.append(words)
    return cut
