"""hak export: a recording for other tools."""

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from hak import output, paths, reading, ui
from hak.commands import _trace
from hak.errors import OK, USAGE, HakError
from hak.reading import Request

EPILOG = '''
Perfetto (ui.perfetto.dev, trace_processor) shows each slab as a track under its SuperSlab, with
its lives as slices named after their class, memory, caps, acquires and refusals as counters, and
failures as instants. CSV and NDJSON hold the tables of the SQLite file that `hak report` keeps
beside the trace, row for row; --schema says what their columns mean.
'''


def prepare_parser(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument('trace', metavar='TRACE', type=Path, nargs='?',
                        help='directory of a recording')
    parser.add_argument('--perfetto', metavar='FILE', help='a trace for Perfetto; - is stdout')
    parser.add_argument('--csv', metavar='DIR', type=Path, help='DIR/TABLE.csv of every table')
    parser.add_argument('--ndjson', metavar='FILE',
                        help='an object a row, its table in "table"; - is stdout')
    parser.add_argument('--schema', action='store_true',
                        help='print what the tables and columns mean')
    parser.add_argument('--db', metavar='FILE', type=Path,
                        help='where the SQLite file is, or is made')
    _trace.add_window(parser)


def run(args: argparse.Namespace) -> int:
    if args.schema:
        print(paths.schema().read_text(encoding='utf-8'), end='')
        return OK
    if args.trace is None:
        raise HakError('export: no trace', 'hak export TRACE --perfetto FILE', USAGE)
    if not (args.perfetto or args.csv or args.ndjson):
        raise HakError('export: as what?', '--perfetto FILE, --csv DIR or --ndjson FILE', USAGE)
    if args.perfetto == args.ndjson == '-':
        raise HakError('export: only one thing can go to stdout', 'name a file', USAGE)
    with reading.opened(Request(args.trace, args.db, args.begin, args.end)) as source:
        for text in source.warnings:
            ui.note(f'warning: {text}')
        if args.perfetto:
            _perfetto(source, args.perfetto)
        if args.csv:
            from hak.reporters import export_csv

            rows = export_csv.write(source.db, args.csv)
            ui.note(f'{args.csv}: {ui.counted(rows, "row")} of '
                    f'{ui.counted(len(source.db.tables()), "table")}')
        if args.ndjson:
            from hak.reporters import export_ndjson

            with _output(args.ndjson, 'w') as out:
                rows = export_ndjson.write(source.db, out)
            ui.note(f'{args.ndjson}: {ui.counted(rows, "row")}')
    return OK


def _perfetto(source, file: str) -> None:
    from hak.reporters import export_perfetto

    with _output(file, 'wb') as out:
        counts = export_perfetto.write(source, out)
    ui.note(f'{file}: {ui.counted(counts["slices"], "slice")} on '
            f'{ui.counted(counts["tracks"], "track")}, '
            f'{ui.counted(counts["counters"], "value")} of counters, '
            f'{ui.counted(counts["instants"], "instant")}')


@contextlib.contextmanager
def _output(name: str, mode: str) -> Iterator[IO]:
    if name == '-':
        yield sys.stdout.buffer if 'b' in mode else sys.stdout
        return
    with output.opened(name, mode) as file:
        yield file
