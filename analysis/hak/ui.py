"""Talking to people: tables and colours on a terminal, plain text everywhere else.

Results go to stdout, everything about the work itself to stderr. rich is imported only by
those functions that draw with it.
"""

import contextlib
import json
import os
import sys
from typing import Any, Callable, Iterator, Optional


def on_terminal(stream: Any = None) -> bool:
    stream = sys.stdout if stream is None else stream
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def colours_wanted(stream: Any = None) -> bool:
    return (on_terminal(stream) and not os.environ.get('NO_COLOR')
            and os.environ.get('TERM', '') != 'dumb')


def console(stream: Any = None):
    """A rich console on `stream` (stdout) that is plain unless people look at it."""
    from rich.console import Console

    stream = sys.stdout if stream is None else stream
    return Console(file=stream, no_color=not colours_wanted(stream), highlight=False,
                   soft_wrap=not on_terminal(stream))


def note(text: str) -> None:
    """One line about the work, on stderr. A reader that is gone is no reason to stop."""
    with contextlib.suppress(OSError, ValueError):
        print(f'hak: {" ".join(text.split())}', file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write('\n')


@contextlib.contextmanager
def progress(label: str, total: Optional[int] = None) -> Iterator[Callable[[int], None]]:
    """Yields advance(n). Draws only where stderr is a terminal."""
    if not on_terminal(sys.stderr):
        yield lambda step=1: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(TextColumn('{task.description}'), BarColumn(), TimeElapsedColumn(),
                  console=console(sys.stderr), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda step=1: bar.advance(task, step)


def size(count: float) -> str:
    """1536 -> '1.5 KiB'"""
    for unit in ('B', 'KiB', 'MiB', 'GiB'):
        if abs(count) < 1024:
            return f'{count:.0f} {unit}' if unit == 'B' else f'{count:.1f} {unit}'
        count /= 1024
    return f'{count:.1f} TiB'


def number(count: int) -> str:
    """1234567 -> '1,234,567'"""
    return f'{count:,}'


def counted(count: int, noun: str, plural: str = '') -> str:
    """(1, 'event') -> '1 event'; (2, 'event') -> '2 events'"""
    return f'{count:,} {noun if count == 1 else plural or noun + "s"}'


def duration(ns: float) -> str:
    """1500 -> '1.5 us'"""
    for unit, scale in (('ns', 1), ('us', 1e3), ('ms', 1e6)):
        if abs(ns) < 1000 * scale:
            return f'{ns / scale:.0f} ns' if unit == 'ns' else f'{ns / scale:.1f} {unit}'
    return f'{ns / 1e9:.2f} s'
