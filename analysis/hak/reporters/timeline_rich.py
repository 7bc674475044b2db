"""`hak timeline` on a terminal."""

from typing import Optional, TextIO

from rich.table import Table
from rich.text import Text

from hak import times, ui
from hak.geometry import STAGE_NAMES, class_name
from hak.reporters import memory_rich

WIDE = 110
# More than this many are told by their number.
OWNERS = 3
STYLES = {'live': 'green', 'unseen': 'yellow', 'unlisted': 'yellow'}


def write(source, lives, frame, out: TextIO) -> None:
    console = ui.console(out)
    wide = console.width >= WIDE
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    numbers = ('begin', 'end', 'length') if wide else ('begin', 'end')
    for column in numbers:
        table.add_column(column, justify='right', no_wrap=True, header_style='dim')
    more = () if not wide else ('memory', 'most used', 'freed by others') if frame.batches else \
        ('memory',)
    for column in ('class', 'slab', 'gen', 'stage', 'ended', *more):
        table.add_column(column, no_wrap=True, header_style='dim')
    table.add_column('owners', header_style='dim')
    for life in lives:
        length = [_length(life)] if wide else []
        extra = [_memory(life, source.first), _count(life.used_max), _count(life.pushed)
                 ][:len(more)]
        table.add_row(
            times.since(life.begin, source.first) if life.begin else 'before',
            times.since(life.end, source.first), *length, class_name(life.cls),
            f'{life.ss}#{life.mapping}:{life.slab}', str(life.gen),
            STAGE_NAMES[life.stage] if life.stage else '-', _ended(life, wide), *extra,
            _owners(life))
    for base in frame.bases:
        console.print(memory_rich.middle(base['pid'], base['time'], source.first))
    console.print(table)
    memory_rich.pressure(frame.pressure, source.first, console)
    console.print(f'{ui.counted(frame.begun, "life", "lives")}'
                  + (f', {frame.carried:,} more that began before the recording'
                     if frame.carried else ''))
    if not frame.batches:
        console.print(Text('how many blocks were in use, and who freed them, was not recorded: '
                           'hak record --tier flow', 'dim'))


def _count(number: Optional[int]) -> str:
    return '-' if number is None else f'{number:,}'


def _owners(life) -> str:
    names = [_owner(spell) for spell in life.spells]
    if len(names) > OWNERS:
        names[1:-1] = [f'… {len(names) - 2} …']
    return ' → '.join(names)


def _owner(spell) -> str:
    if spell.owner == 0:
        return 'published'
    return f'thread {spell.tid}' if spell.tid else f'owner {spell.owner}'


def _ended(life, wide: bool) -> Text:
    """Where there is room for one word, the last that happened."""
    style, (what, _) = STYLES.get(life.ended), _gone(life)
    if what and not wide:
        return Text(what + _doubt(life))
    return Text.assemble((life.ended, style or ''), _doubt(life))


def _gone(life) -> tuple:
    """How and when its memory went back to the system, if it did."""
    if life.unmapped:
        return 'unmapped', life.unmapped
    return ('purged', life.purged) if life.purged else ('', None)


def _memory(life, first: int) -> str:
    what, when = _gone(life)
    return f'{what} {times.since(when, first)}' if what else ''


def _length(life) -> str:
    if life.begin is None or life.end is None:
        return '-'
    return ui.duration(life.end - life.begin)


def _doubt(life) -> str:
    return '' if life.certain else ' ?'
