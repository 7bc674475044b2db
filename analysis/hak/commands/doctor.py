"""hak doctor: what on this machine is missing or too small, and how to fix it."""

import argparse
from dataclasses import asdict

from hak import diagnosis, ui
from hak.errors import FINDINGS, OK

EPILOG = '''
  ok        as it should be
  note      works, but worth knowing
  problem   something will not work, or not well; what to do follows

The exit code is 1 if there is a problem.
'''
STYLES = {'ok': 'green', 'note': 'yellow', 'problem': 'bold red'}


def prepare_parser(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument('--full', action='store_true',
                        help='also record a small program and read the trace back')
    parser.add_argument('--json', action='store_true', help='an array of objects')


def run(args: argparse.Namespace) -> int:
    findings = diagnosis.examine(full=args.full)
    if args.json:
        ui.print_json([asdict(finding) for finding in findings])
    elif ui.colours_wanted():
        _coloured(findings)
    else:
        for finding in findings:
            print(f'{finding.verdict:<9} {finding.text()}')
    return FINDINGS if any(finding.verdict == 'problem' for finding in findings) else OK


def _coloured(findings: list) -> None:
    from rich.text import Text

    console = ui.console()
    for finding in findings:
        console.print(Text.assemble((f'{finding.verdict:<9} ', STYLES[finding.verdict]),
                                    finding.text()))
