"""Talking to people: tables and colours on a terminal, plain text everywhere else.

Results go to stdout, everything about the work itself to stderr. rich is imported only by
those functions that draw with it.
"""

import contextlib
import json
import os
import re
import sys
from typing import Any, Callable, Iterator, Optional


# What a terminal obeys in place of showing it, or does not show: control characters, marks that turn
# the direction of writing or have no width, line separators, halves of surrogate pairs, which stand
# for bytes that are not UTF-8, and what has no meaning yet.
_UNSHOWN = re.compile('[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f'
                      '\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff'
                      '\uffa0\ufff0-\ufffb\ufffe\uffff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]')


def clean(text: str) -> str:
    """As it may be written to a terminal, whoever chose it. Every text from a recording, and every
    name of a file, comes through here: names of programs are whatever bytes these like."""
    return _UNSHOWN.sub(_escaped, text)


def _escaped(match: re.Match) -> str:
    code = ord(match[0])
    if 0xdc80 <= code <= 0xdcff:   # a byte that is not UTF-8
        return f'\\x{code - 0xdc00:02x}'
    return f'\\x{code:02x}' if code < 0x100 else f'\\u{code:04x}' if code < 0x10000 else f'\\U{code:08x}'


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
    """A rich console on `stream` (stdout) that is plain unless people look at it. Texts are texts:
    no markup, no names of pictures, nothing that a terminal obeys."""
    from rich.console import Console

    class Clean(Console):
        """Cleans what is about to be written, whichever way it came here."""

        def _render_buffer(self, buffer):
            return super()._render_buffer(
                segment if segment.control else segment._replace(text=_cleaned(segment.text))
                for segment in buffer)

    stream = sys.stdout if stream is None else stream
    return Clean(file=stream, no_color=not colours_wanted(stream), highlight=False, markup=False,
                 emoji=False, soft_wrap=not on_terminal(stream))


def _cleaned(lines: str) -> str:
    return '\n'.join(map(clean, lines.split('\n')))


def say(text: str = '') -> None:
    """Lines on stdout."""
    print(_cleaned(text))


def note(text: str) -> None:
    """One line about the work, on stderr. A reader that is gone is no reason to stop."""
    with contextlib.suppress(OSError, ValueError):
        print(f'hak: {one_line(text)}', file=sys.stderr, flush=True)


def one_line(text: str) -> str:
    return clean(' '.join(text.split()))


def print_json(value: Any) -> None:
    sys.stdout.write(json_text(value, indent=2) + '\n')


def json_text(value: Any, **options: Any) -> str:
    """What a terminal would obey is written by its number: to JSON it is the same."""
    text = json.dumps(value, ensure_ascii=False, **options)
    return '\n'.join(_UNSHOWN.sub(_numbered, line) for line in text.split('\n'))


def _numbered(match: re.Match) -> str:
    return json.dumps(match[0])[1:-1]


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
