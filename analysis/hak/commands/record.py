"""hak record: runs a program on our allocator, under a recording session of its own."""

import argparse
import contextlib
import os
import re
import shutil
import time
from pathlib import Path
from typing import Optional

from hak import buffers, catalogue, ui
from hak.errors import USAGE, HakError

DESCRIPTION = '''
Runs CMD with the allocator preloaded and records what it decides, into a new directory that
`hak report`, `hak timeline` and `hak verify` read. Its children are recorded too.

A session daemon that is running is used, with a session of its own; other programs that run on
hakmem meanwhile and know that daemon are then in the recording as well, unless --private. If
none is running, one is started for the duration that only CMD and its children know.

tiers, each with those before it:
  lifecycle  what is rare: SuperSlabs, slabs, fallbacks, failures; storms of refusals in sums
             (HAKMEM_TELL_SINGLY). Always affordable
  flow       every batch between thread caches and slabs
  ops        every malloc and free

With HAKMEM_LIBC_EVENTS=1 in the environment every call is also recorded as LTTng's libc wrapper
does it (lttng_ust_libc:malloc and so on), for tools that read its recordings.
'''
EPILOG = '''
The exit code is CMD's, 128+N if signal N killed it; 2 or 3 if it could not be started.
'''


def prepare_parser(parser: argparse.ArgumentParser) -> None:
    parser.usage = 'hak record [OPTIONS] [--] CMD [ARGUMENT…]'
    parser.description = DESCRIPTION
    parser.epilog = EPILOG
    parser.add_argument('-o', '--output', metavar='DIR', type=Path,
                        help='where to: a new or empty directory (default: hakmem-CMD-TIME)')
    parser.add_argument('--tier', choices=list(catalogue.LEFT_OUT), default='lifecycle',
                        help='how much to record (default: %(default)s)')
    parser.add_argument('--buffer-size', metavar='SIZE', type=buffers.parse_size,
                        help='bytes of a sub-buffer, such as 512K or 4M, if events are lost')
    parser.add_argument('--subbufs', metavar='N', type=buffers.parse_count,
                        help='sub-buffers per CPU')
    parser.add_argument('--session', metavar='NAME',
                        help='name of the recording session (default: one that is unique)')
    parser.add_argument('--private', action='store_true',
                        help='start a session daemon of our own even if one is running')
    parser.add_argument('program', metavar='CMD', nargs=argparse.REMAINDER,
                        help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    from hak import lttng, paths, program
    from hak.recording import Recording

    argv = args.program[1:] if args.program[:1] == ['--'] else args.program
    if not argv:
        raise HakError('record: no program to run', 'hak record -- CMD', USAGE)
    executable = program.find(argv[0])
    paths.library()
    paths.provider()
    channels = _channels(args)
    with program.signals_held() as mask:
        output, created = _output_directory(args.output, executable.name)
        recording = Recording(output, args.session or lttng.unique_name(executable.name),
                              channels, args.private, args.tier != 'lifecycle')
        try:
            recording.open()
            code = recording.run(executable, argv, mask)
            recording.close()
        except BaseException:
            recording.abandon()
            if not recording.begun:
                _restore(output, created)
            raise
    for line in recording.summary():
        ui.note(line)
    return code


def _channels(args: argparse.Namespace) -> dict:
    """Channel -> (events, buffers), as large as asked for or as fits."""
    events = catalogue.recorded_by(args.tier)
    if os.environ.get('HAKMEM_LIBC_EVENTS') == '1':
        events['libc'] = ['lttng_ust_libc:*']
    wanted = {name: buffers.Buffers(args.buffer_size or buffers.DEFAULTS[name].size,
                                    args.subbufs or buffers.DEFAULTS[name].count)
              for name in events}
    chosen = buffers.fitting(wanted, buffers.free_shm())
    if chosen != wanted:
        ui.note('/dev/shm is small: recording with smaller buffers, so more events may be lost')
    return {name: (events[name], chosen[name]) for name in events}


def _output_directory(wanted: Optional[Path], comm: str) -> tuple[Path, bool]:
    """An existing, empty, writable directory, and whether we made it."""
    if wanted is None:
        stem = f'hakmem-{re.sub(r"[^A-Za-z0-9_.-]", "_", comm)}-{time.strftime("%Y%m%d-%H%M%S")}'
        for number in range(1, 1000):
            path = Path(stem if number == 1 else f'{stem}-{number}')
            if _make(path):
                return path.absolute(), True
        raise HakError(f'{stem} and its like exist already', 'name another with -o')
    created = _make(wanted, parents=True)
    if not created:
        if not wanted.is_dir():
            raise HakError(f'{wanted} is not a directory', 'name another with -o')
        try:
            empty = not any(wanted.iterdir())
        except OSError as error:
            raise HakError(f'{wanted}: {error.strerror}', 'name another with -o') from None
        if not empty:
            raise HakError(f'{wanted} is not empty', 'name a new directory with -o')
        if not os.access(wanted, os.W_OK | os.X_OK):
            raise HakError(f'{wanted} is not writable', 'name another with -o')
    return wanted.absolute(), created


def _make(path: Path, parents: bool = False) -> bool:
    """False if something is there already."""
    try:
        path.mkdir(parents=parents)
        return True
    except FileExistsError:
        if parents and not path.exists() and not path.is_symlink():
            raise HakError(f'{path} cannot be made: a file is in the way') from None
        return False
    except OSError as error:
        raise HakError(f'{path} cannot be made: {error.strerror}',
                       'name another with -o') from None


def _restore(output: Path, created: bool) -> None:
    """The directory as it was before: empty, or not there."""
    shutil.rmtree(output / 'ust', ignore_errors=True)
    if created:
        with contextlib.suppress(OSError):
            output.rmdir()

