"""`hak diff` on a terminal."""

from typing import TextIO

from rich.text import Text

from hak import times, ui
from hak.comparison import UNITS, Comparison, Side
from hak.reporters.tables import heading, table

STYLE = {'worse': 'red', 'better': 'green', '': ''}
# Rows before the rest is counted only; --all shows them.
SHOWN = 25


def write(found: Comparison, everything: bool, _out: TextIO) -> None:
    console = ui.console()
    for name, side in (('A', found.a), ('B', found.b)):
        _side(name, side, console)
    _settings(found, console)
    _findings(found, console)
    _changes(found, everything, console)


def _side(name: str, side: Side, console) -> None:
    lost = f', {side.lost:,} lost' if side.lost else ''
    console.print(Text.assemble(
        (f'{name}  {side.trace}', 'bold'),
        f'  {times.day(side.begin)} {times.clock(side.begin)}, {ui.duration(side.duration_ns)}, '
        f'{ui.counted(side.events, "event")}{lost}, {", ".join(side.programs)}'), soft_wrap=True)


def _settings(found: Comparison, console) -> None:
    if not found.settings:
        return
    heading(console, 'Set differently')
    shown = table('knob', 'A', 'B', left=3)
    for row in found.settings:
        shown.add_row(Text(row['knob']), *(Text(', '.join(row[side]) or 'default')
                                           for side in ('a', 'b')))
    console.print(shown)


def _findings(found: Comparison, console) -> None:
    heading(console, 'Findings')
    if not (found.gone or found.new or found.stay):
        console.print(Text('none in either', 'green'))
    for mark, style, findings in (('new', 'red', found.new), ('gone', 'green', found.gone),
                                  ('stays', 'yellow', [two for _, two in found.stay])):
        for finding in findings:
            console.print(Text.assemble((f'{mark:<6}', style), finding.sentence()),
                          soft_wrap=True)


def _changes(found: Comparison, everything: bool, console) -> None:
    heading(console, 'What changed, biggest first'
            + (' (counts per second)' if found.per_second else ''))
    changes = found.shown(everything)
    if not changes:
        console.print(Text('nothing by more than a tenth', 'green'))
        return
    shown = table('of', 'what', 'A', 'B', '', left=2)
    for change in changes if everything else changes[:SHOWN]:
        shown.add_row(change.topic, change.name, UNITS[change.unit](change.a),
                      UNITS[change.unit](change.b), Text(change.judgement,
                                                         STYLE[change.judgement]))
    console.print(shown)
    left = len(found.changes) - (len(changes) if everything else min(len(changes), SHOWN))
    if left:
        console.print(Text(f'{ui.counted(left, "number")} more, which changed less or not at all: '
                           '--all', 'dim'))
