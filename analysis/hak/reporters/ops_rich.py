"""The part of `hak report` on a terminal that tells of single mallocs and frees."""

from hak import ui
from hak.geometry import class_text
from hak.model import Report
from hak.reporters.memory_rich import NAMES
from hak.reporters.tables import SHOWN, heading, more, table

# Bars of the histogram, at most so wide.
WIDTH = 30


def draw(report: Report, console) -> None:
    ops = report.ops
    if ops is None:
        return
    heading(console, 'Every malloc and free')
    _table(ops['classes'], 'class', _kind, console)
    if len(ops['processes']) > 1:
        _table(ops['processes'], 'process', lambda row: str(row['pid']), console)
    several = len(ops['processes']) > 1
    _table(ops['threads'], 'thread', lambda row: f'{row["tid"] or "others"}'
           + (f' of {row["pid"]}' if several else ''), console)
    _sizes(ops['sizes'], console)


def _kind(row: dict) -> str:
    if row['layer'] is None:
        return class_text(row['cls'])
    return NAMES.get(row['layer'], "the system's malloc")


def _table(rows: list, what: str, name, console) -> None:
    unseen = ['unknown'] if any(row['unseen'] for row in rows) else []
    shown = table(what, 'mallocs', 'mean size', 'frees', *unseen, 'live at the end', 'bytes')
    for row in rows[:None if what == 'class' else SHOWN]:
        mean = ui.size(row['requested'] // row['allocs']) if row['allocs'] else '-'
        shown.add_row(name(row), ui.number(row['allocs']), mean, ui.number(row['frees']),
                      *([ui.number(row['unseen'])] if unseen else []), ui.number(row['live']),
                      ui.size(row['live_bytes']))
    console.print(shown)
    if what != 'class':
        more(console, len(rows), what, 'processes' if what == 'process' else '')
    console.print()


def _sizes(rows: list, console) -> None:
    """The sizes that were asked for most, in order."""
    sums: dict[tuple[int, int], int] = {}
    for row in rows:
        key = row['low'], row['high']
        sums[key] = sums.get(key, 0) + row['allocs']
    most = sorted(sums, key=lambda key: -sums[key])[:SHOWN]
    shown = table('sizes asked for', 'mallocs', 'share', '')
    shown.columns[-1].justify = 'left'
    whole = sum(sums.values())
    for low, high in sorted(most):
        count = sums[low, high]
        shown.add_row(f'{low:,} to {high:,} B' if high > low else f'{low:,} B', ui.number(count),
                      f'{count / whole:.1%}', '█' * round(WIDTH * count / whole))
    console.print(shown)
    more(console, len(sums), 'range of sizes', 'ranges of sizes')
