"""hak config: the knobs as the library itself understands them here and now."""

import argparse
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, replace

from hak import paths, ui
from hak.errors import HakError

EPILOG = '''
Set a knob in the environment of the program: HAKMEM_SS_LG=21 hak record -- CMD
'''
SECONDS = 20
# The library is asked in a process of its own: its knobs are read when it is loaded, and what it
# thinks of this environment it says on stderr, which is the user's.
ASK = 'import ctypes, sys; ctypes.CDLL(sys.argv[1]).hak_config_print(1)'


@dataclass(frozen=True)
class Knob:
    name: str
    default: str
    current: str
    set: bool
    meaning: str


def prepare_parser(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument('--json', action='store_true', help='an array of objects')


def run(args: argparse.Namespace) -> int:
    knobs = ask_library()
    if args.json:
        ui.print_json([asdict(knob) for knob in knobs])
    elif ui.on_terminal():
        _table(knobs)
    else:
        for knob in knobs:
            default = knob.default or 'none'
            print(f'{knob.name}={knob.current}  # {knob.meaning} (default {default})')
    return 0


def ask_library() -> list[Knob]:
    library = paths.library()
    # Whoever asks for the knobs is not to appear in a recording.
    env = {**os.environ, 'HAKMEM_TRACE': '0'}
    try:
        done = subprocess.run([sys.executable, '-c', ASK, str(library)], env=env, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              errors='replace', timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise HakError(f'{library} hangs when it is loaded', 'see `hak doctor`') from None
    if done.returncode != 0:
        raise HakError(f'{library} does not tell its knobs', 'rebuild it with `make`')
    return [_own_trace(_parse(line, library)) for line in done.stdout.splitlines()]


def _parse(line: str, library) -> Knob:
    fields = line.split('\t')
    if len(fields) != 5:
        raise HakError(f'{library} tells its knobs in a form this hak does not know',
                       'use the hak that was built with it')
    name, default, current, origin, meaning = fields
    return Knob(name, default, current, origin == 'set', meaning)


def _own_trace(knob: Knob) -> Knob:
    """Shows the user's HAKMEM_TRACE instead of the one that we asked with."""
    if knob.name != 'HAKMEM_TRACE':
        return knob
    value = os.environ.get(knob.name)
    return replace(knob, current=knob.default if value is None else value,
                   set=value is not None)


def _table(knobs: list[Knob]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style='bold')
    table.add_column('knob', no_wrap=True)
    table.add_column('value', no_wrap=True)
    table.add_column('default', no_wrap=True)
    table.add_column('meaning')
    for knob in knobs:
        style = 'bold green' if knob.set else ''
        table.add_row(Text(knob.name, style), Text(knob.current, style),
                      Text(knob.default, 'dim'), Text(knob.meaning))
    ui.console().print(table)
