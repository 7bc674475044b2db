"""hak report: the story of a recording."""

import argparse
import sys
from pathlib import Path

from hak import reading, story, ui
from hak.commands import _trace
from hak.errors import OK, HakError

EPILOG = '''
On a terminal the story is drawn; in a pipe each line is one fact, as `topic key=value …`.
'''


def prepare_parser(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    _trace.add_trace(parser)
    parser.add_argument('--html', metavar='FILE', type=Path,
                        help='write a page that any browser opens: lanes of slabs, charts, tables')
    _trace.add_window(parser)
    _trace.add_scope(parser)


def run(args: argparse.Namespace) -> int:
    scope = _trace.scope(args)
    with reading.opened(_trace.request(args)) as source:
        report = story.tell(source, scope)
        if scope.pid is not None and not report.processes:
            raise HakError(f'{args.trace}: no process {scope.pid} in it',
                           'the pids are those that `hak report` lists')
        if args.html:
            from hak.reporters import report_html

            report_html.write(report, source, scope, args.html)
            ui.note(f'wrote {args.html}')
    for text in report.warnings:
        ui.note(f'warning: {text}')
    if args.json:
        ui.print_json(report.as_json())
    elif args.html:
        pass    # the page says it
    elif ui.on_terminal():
        from hak.reporters import report_rich

        report_rich.draw(report)
    else:
        from hak.reporters import report_plain

        report_plain.write(report, sys.stdout)
    return OK
