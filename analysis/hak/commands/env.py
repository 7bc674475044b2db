"""hak env: what to set where something else starts the program."""

import argparse
import os
import shlex
import sys

from hak import preload, ui

EPILOG = '''
  eval "$(hak env)"                          for what this shell starts from now on
  hak env --plain >> /etc/default/myservice  for a service (systemd: EnvironmentFile=)

The programs are traced by whichever session daemon they find; `hak record` is not needed then.
'''


def prepare_parser(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    form = parser.add_mutually_exclusive_group()
    form.add_argument('--plain', action='store_true', help='NAME=value lines instead of shell code')
    form.add_argument('--json', action='store_true', help='a JSON object')


def run(args: argparse.Namespace) -> int:
    values = preload.changes(os.environ)
    if args.json:
        ui.print_json(values)
        return 0
    for name, value in values.items():
        line = f'{name}={value}' if args.plain else f'export {name}={shlex.quote(value)}'
        sys.stdout.write(line + '\n')
    return 0
