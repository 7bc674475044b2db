"""hak diff: what changed between two recordings."""

import argparse
import sys
from pathlib import Path

from hak import comparison, reading, story, ui
from hak.commands import _trace
from hak.db import Scope
from hak.errors import OK
from hak.reading import Request

EPILOG = '''
A is what was, B is what is. Findings that are gone or new come first, then what changed, by
doublings, failures and fallbacks before memory and memory before the mix of stages. Changes of
less than a tenth are left out unless --all.
'''


def prepare_parser(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    for name in ('a', 'b'):
        parser.add_argument(name, metavar=name.upper(), type=Path,
                            help='directory of a recording')
    parser.add_argument('--json', action='store_true', help='everything, for programs')
    parser.add_argument('--html', metavar='FILE', type=Path,
                        help='write one page with both side by side')
    parser.add_argument('--all', action='store_true', help='small changes too')
    parser.add_argument('--per-second', action='store_true',
                        help='counts per second: for recordings of different length')
    _trace.add_window(parser)
    parser.add_argument('--class', metavar='N', dest='cls', help='of one size class: 6 or C6')


def run(args: argparse.Namespace) -> int:
    args.pid = None   # no process is in both
    scope = _trace.scope(args)
    a, b = (_report(trace, args, scope) for trace in (args.a, args.b))
    found = comparison.compare(a, b, args.per_second)
    for side in (found.a, found.b):
        for text in side.warnings:
            ui.note(f'warning: {side.trace}: {text}')
    if args.html:
        from hak.reporters import diff_html

        diff_html.write(found, args.html)
        ui.note(f'wrote {args.html}')
    if args.json:
        ui.print_json(found.as_json())
    elif not args.html:
        _reporter().write(found, args.all, sys.stdout)
    return OK


def _report(trace: Path, args: argparse.Namespace, scope: Scope):
    with reading.opened(Request(trace, None, args.begin, args.end)) as source:
        return story.tell(source, scope)


def _reporter():
    if ui.on_terminal():
        from hak.reporters import diff_rich as reporter
    else:
        from hak.reporters import diff_plain as reporter
    return reporter
