"""How reports on a terminal look."""

from collections.abc import Callable
from typing import Any

from rich.table import Table
from rich.text import Text

from hak import ui

# Rows of a list before it is cut.
SHOWN = 10
LEVELS = ' ▁▂▃▄▅▆▇█'


def heading(console, text: str) -> None:
    console.print()
    console.print(Text(text, 'bold'))


def table(*columns: str, left: int = 1) -> Table:
    """The first columns are words, the others numbers."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, column in enumerate(columns):
        made.add_column(column, no_wrap=True, justify='left' if number < left else 'right',
                        header_style='dim')
    return made


def more(console, count: int, noun: str, plural: str = '') -> None:
    if count > SHOWN:
        console.print(Text(f'… and {ui.counted(count - SHOWN, noun, plural)} more', 'dim'))


def known(value: Any, said: Callable[[Any], str]) -> str:
    """A cell; '-' where nothing was recorded of it."""
    return '-' if value is None else said(value)


def level(value: int, most: int) -> str:
    """Of a bar. What is not nothing is seen."""
    return LEVELS[-(-value * (len(LEVELS) - 1) // most)] if most else LEVELS[0]
