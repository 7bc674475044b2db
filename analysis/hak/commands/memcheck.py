"""hak memcheck: runs a program on our allocator under Valgrind."""

import argparse
import os
import shutil

from hak import preload, valgrind
from hak.errors import USAGE, HakError

PASSES_OPTIONS_ON = True

DESCRIPTION = '''
Runs CMD under Valgrind with the allocator preloaded, and reports what memcheck reports with the
C library's malloc. Every option in front of -- is Valgrind's, such as --leak-check=full,
--track-origins=yes, --xml=yes, --gen-suppressions=all, --vgdb-error=0, --trace-children=yes or
--tool=helgrind.
'''
EPILOG = '''
The exit code is 1 if Valgrind reported errors (Valgrind's --error-exitcode=N changes it) or does
not know an option, else CMD's; 2 or 3 if it could not be started.
'''


def prepare_parser(parser: argparse.ArgumentParser) -> None:
    parser.usage = 'hak memcheck [VALGRIND OPTIONS] -- CMD [ARGUMENT…]'
    parser.description = DESCRIPTION
    parser.epilog = EPILOG
    parser.add_argument('program', metavar='CMD', nargs='*', help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    from hak import program

    if not args.program:
        raise HakError('memcheck: no program to run', 'hak memcheck -- CMD', USAGE)
    tool = shutil.which('valgrind')
    if tool is None:
        raise HakError('valgrind is missing', 'apt-get install valgrind')
    program.find(args.program[0])
    env = {**os.environ, **preload.allocator(os.environ)}
    options, more = valgrind.options(args.passed_on, env)
    # In our place, so that signals, the terminal and vgdb find the program where they look for it.
    os.execve(tool, [tool, *options, *args.program], {**env, **more})
    raise AssertionError
