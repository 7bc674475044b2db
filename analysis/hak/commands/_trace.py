"""What the commands that read a trace have in common."""

import argparse
from pathlib import Path

from hak.db import Scope
from hak.errors import USAGE, HakError
from hak.geometry import STRIDES
from hak.reading import Request


def add_trace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('trace', metavar='TRACE', type=Path, help='directory of a recording')
    parser.add_argument('--json', action='store_true', help='everything, for programs')
    parser.add_argument('--db', metavar='FILE', type=Path,
                        help='where the SQLite file is, or is made (default: beside the trace, '
                        'used again while it is newer)')


def add_window(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--from', metavar='TIME', dest='begin',
                        help="seconds after the trace's begin (1.5), HH:MM:SS, or nanoseconds "
                        'since the epoch')
    parser.add_argument('--to', metavar='TIME', dest='end', help='likewise; not included')


def add_scope(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--class', metavar='N', dest='cls', help='of one size class: 6 or C6')
    parser.add_argument('--pid', metavar='N', help='of one process')


def request(args: argparse.Namespace) -> Request:
    return Request(args.trace, args.db, getattr(args, 'begin', None), getattr(args, 'end', None))


def scope(args: argparse.Namespace) -> Scope:
    cls = None if args.cls is None else number(args.cls.upper().removeprefix('C'), '--class')
    if cls is not None and cls >= len(STRIDES):
        raise HakError(f'there is no class {args.cls}', f'C0 to C{len(STRIDES) - 1}', USAGE)
    return Scope(None if args.pid is None else number(args.pid, '--pid'), cls)


def number(text: str, option: str) -> int:
    """Decimal, or hexadecimal with 0x."""
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 63:
        raise HakError(f'{option} {text}: not a number', 'such as 6, or 0x7f0000000000', USAGE)
    return value
