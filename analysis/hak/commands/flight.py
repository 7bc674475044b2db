"""hak flight: an always-on recording in memory, of which snapshots are kept when it matters."""

import argparse
import re
import shlex
from pathlib import Path

from hak import ui
from hak.errors import FINDINGS, OK, USAGE, HakError

DESCRIPTION = '''
Keeps the last events of every process that runs on hakmem in small ring buffers, and a snapshot
of them whenever something goes wrong: out of memory, the kernel refusing memory, a request that
the shared pool could not serve, a freed block written to, a double free.

  start   switch it on, or repair it; harmless where it is on already
  status  is it on, what did it see
  dump    take a snapshot now; reads the buffers of a session daemon that has died, too
  stop    switch it off; the snapshots stay

Programs need the library preloaded, and nothing else: see `hak env`. They may start before
flight or after it.
'''
EPILOG = '''
Exit codes: 0 fine, 1 status: off or in need of repair, 2 usage, 3 it could not be done.
'''
UNITS = {'': 0, 'K': 10, 'M': 20, 'G': 30}


def prepare_parser(parser: argparse.ArgumentParser) -> None:
    parser.description = DESCRIPTION
    parser.epilog = EPILOG
    verbs = parser.add_subparsers(dest='verb', metavar='start|status|dump|stop', required=True)
    start = verbs.add_parser('start', allow_abbrev=False, help='switch it on, or repair it')
    start.add_argument('-o', '--output', metavar='DIR', type=Path,
                       help='where snapshots go (default: the state folder of the user)')
    start.add_argument('--keep', metavar='N', type=_count, help='snapshots at most (default: 32)')
    start.add_argument('--max-size', metavar='SIZE', type=_size, dest='max_bytes',
                       help='of all snapshots, such as 500M (default: 256M)')
    start.add_argument('--every', metavar='SECONDS', type=_seconds,
                       help='at most one snapshot for the same condition in that time '
                       '(default: 60)')
    start.add_argument('--buffer-size', metavar='SIZE', type=_buffer_size,
                       help='bytes of a sub-buffer; every CPU has eight in each of three '
                       'channels (default: 64K)')
    start.add_argument('--shm', metavar='DIR', type=Path,
                       help='below which folder the ring buffers lie (default: /dev/shm)')
    status = verbs.add_parser('status', allow_abbrev=False, help='is it on, what did it see')
    status.add_argument('--json', action='store_true', help='everything, for programs')
    dump = verbs.add_parser('dump', allow_abbrev=False, help='take a snapshot now')
    dump.add_argument('name', metavar='NAME', nargs='?', default='dump', type=_name,
                      help='what its name begins with (default: dump)')
    dump.add_argument('-o', '--output', metavar='DIR', type=Path,
                      help='where to, out of reach of the rotation (default: with the others)')
    verbs.add_parser('stop', allow_abbrev=False, help='switch it off')


def run(args: argparse.Namespace) -> int:
    return {'start': _start, 'status': _status, 'dump': _dump, 'stop': _stop}[args.verb](args)


def _start(args: argparse.Namespace) -> int:
    from hak import flight

    chosen = {key: getattr(args, key) for key in ('keep', 'max_bytes', 'every', 'buffer_size')}
    for key in ('output', 'shm'):
        path = getattr(args, key)
        chosen[key] = None if path is None else str(path.absolute())
    _, done = flight.start({key: value for key, value in chosen.items() if value is not None})
    for line in done:
        ui.note(line)
    return OK


def _status(args: argparse.Namespace) -> int:
    from hak import flight
    from hak.reporters import flight_plain

    state = flight.existing()
    status = None if state is None else flight.status(state)
    if args.json:
        ui.print_json(flight_plain.as_json(status))
    else:
        flight_plain.show(status)
    return OK if status is not None and not status.problems else FINDINGS


def _dump(args: argparse.Namespace) -> int:
    from hak import flight

    path, note = flight.dump(args.name, args.output)
    if note:
        ui.note(note)
    ui.note(f'next: hak report {shlex.quote(str(path))}')
    print(path)
    return OK


def _stop(_: argparse.Namespace) -> int:
    from hak import flight

    _, done = flight.stop()
    for line in done:
        ui.note(line)
    return OK


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 10_000:
        raise HakError(f'not a number of snapshots: {text!r}', 'from 1 to 10000', USAGE)
    return int(text)


def _size(text: str) -> int:
    match = re.fullmatch(r'(\d{1,12})([KMG]?)', text.upper())
    if not match or not int(match[1]):
        raise HakError(f'not a size: {text!r}', 'such as 500M or 2G', USAGE)
    return int(match[1]) << UNITS[match[2]]


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 1e6:
        raise HakError(f'not a number of seconds: {text!r}', 'from 1 to 1000000', USAGE)
    return value


def _buffer_size(text: str) -> int:
    from hak import buffers

    return buffers.parse_size(text)


def _name(text: str) -> str:
    from hak.flight_triggers import CONDITIONS

    if not re.fullmatch(r'[A-Za-z][A-Za-z0-9_.-]{0,63}', text):
        raise HakError(f'not a name for a snapshot: {text!r}',
                       'letters, digits, and _ . - between them', USAGE)
    if text in {condition.name for condition in CONDITIONS}:
        raise HakError(f'{text} is what a trigger calls its snapshots', 'choose another', USAGE)
    return text
