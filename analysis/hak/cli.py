"""hak COMMAND …: finds the command's module, runs it, and turns errors into one line."""

import argparse
import contextlib
import importlib
import os
import sys
from pathlib import Path
from typing import Optional

from hak import __version__
from hak.errors import OK, UNUSABLE, USAGE, HakError

# name -> what it is for, in the order in which people need them. The module is
# hak.commands.NAME, imported when it is asked for.
COMMANDS = {
    'record': 'run a program with the allocator preloaded and record what it decides',
    'report': 'tell what a recording shows: stages, fallbacks, failures, caps, slabs',
    'timeline': 'show the lives of slabs, filtered by class, SuperSlab, thread or time',
    'diff': 'say what changed between two recordings, biggest first',
    'export': 'write a recording for Perfetto, or all of its tables as CSV or NDJSON',
    'oom': 'say why memory ran out or grew: the causes, the evidence, what to change',
    'verify': 'check every transition of a recording against the state machine',
    'top': 'show what running programs do, live, and tell Prometheus',
    'flight': 'keep the last events in memory, and a snapshot when something goes wrong',
    'memcheck': "run a program under Valgrind's memcheck, helgrind or DRD on this allocator",
    'config': "list the allocator's knobs with default, meaning and current value",
    'doctor': 'say what on this machine is missing or too small, and how to fix it',
    'env': 'print the environment for a program that something else starts',
}

# Packages of the system interpreter that some commands need.
PACKAGES = {'bt2': 'python3-bt2', 'rich': 'python3-rich'}


class _Parser(argparse.ArgumentParser):
    """Reports bad usage as every other error is reported."""

    def error(self, message):
        raise HakError(f'{self.prog.split(maxsplit=1)[-1]}: {message}',
                       f'see `{self.prog} --help`', USAGE)


def main(argv: list) -> int:
    if sys.stdout is None:   # closed by whoever called us
        sys.stdout = open(os.devnull, 'w', encoding='utf-8')
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):   # a locale that is not UTF-8
            stream.reconfigure(errors='backslashreplace')
    try:
        code = _dispatch(argv)
        sys.stdout.flush()
        return code
    except HakError as error:
        return _complain(error)
    except ModuleNotFoundError as error:
        if error.name not in PACKAGES:
            raise
        return _complain(HakError(f'Python module {error.name} is missing in {sys.executable}',
                                  f'apt-get install {PACKAGES[error.name]}'))
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        _settle_output()
        return 128 + 13
    except KeyboardInterrupt:
        return 128 + 2
    except OSError as error:
        _settle_output()
        what = f'{error.filename}: ' if error.filename else ''
        return _complain(_shortage(error) or HakError(f'{what}{error.strerror or error}'))
    except MemoryError as error:
        error.__traceback__ = None   # what its frames hold is needed to say so
        _settle_output()
        return _complain(_shortage(error))
    except Exception as error:  # pylint: disable=broad-except  # a trace or a fault of ours
        if sys.flags.dev_mode:
            raise
        _settle_output()
        return _complain(_shortage(error) or _unforeseen(error))


def _shortage(error: Exception) -> Optional[HakError]:
    try:
        from hak import shortage   # not before it is needed: most commands end without
        return shortage.of(error)
    except (ImportError, MemoryError):
        return HakError('there is not enough memory for hak itself', 'allow it more')


def _unforeseen(error: Exception) -> HakError:
    """No input may make a traceback of it; where it came from is said all the same."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    place = f' ({Path(frames[-1].filename).name}:{frames[-1].lineno})' if frames else ''
    return HakError(f'{type(error).__name__}: {error}{place}',
                    'the input is damaged, or hak is: PYTHONDEVMODE=1 tells more')


def _settle_output() -> None:
    """What cannot be written must not be tried again at exit, which would change the exit code."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _dispatch(argv: list) -> int:
    if not argv or argv[0] in ('-h', '--help', 'help'):
        print(_help(), file=sys.stdout if argv else sys.stderr)
        return OK if argv else USAGE
    if argv[0] == '--version':
        print(f'hak {__version__}')
        return OK
    name = argv[0]
    if name not in _present():
        what = 'option' if name.startswith('-') else 'command'
        raise HakError(f'no such {what}: {name}', 'see `hak --help`', USAGE)
    module = importlib.import_module(f'hak.commands.{name}')
    parser = _Parser(prog=f'hak {name}', description=COMMANDS[name], allow_abbrev=False,
                     formatter_class=argparse.RawDescriptionHelpFormatter)
    module.prepare_parser(parser)
    if not getattr(module, 'PASSES_OPTIONS_ON', False):
        return module.run(parser.parse_args(argv[1:]))
    args, args.passed_on = parser.parse_known_args(argv[1:])
    return module.run(args)


def _present() -> list:
    folder = Path(__file__).parent / 'commands'
    return [name for name in COMMANDS if (folder / f'{name}.py').is_file()]


def _help() -> str:
    lines = [f'  {name:<10}{COMMANDS[name]}' for name in _present()]
    return '\n'.join([
        'usage: hak COMMAND [ARGUMENTS]',
        '',
        'Records, reads and explains what the hakmem allocator does.',
        '',
        *lines,
        '',
        '`hak COMMAND --help` tells the rest; `hak --version` the version.',
        'Exit codes: 0 fine, 1 findings, 2 usage, 3 unusable input; `hak record` exits as the',
        'recorded program did.',
    ])


def _complain(error: HakError) -> int:
    try:
        line = error.line()
    except (ImportError, MemoryError):
        line = f'{error.message}: {error.remedy}'
    try:
        print(f'hak: {line}', file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass  # nobody listens; the exit code still tells
    return error.code or UNUSABLE
