"""hak timeline: the lives of slabs."""

import argparse
import sys

from hak import chronicle, dumps, reading, ui
from hak.commands import _trace
from hak.db import LifeFilter
from hak.errors import OK

# On a terminal, unless --limit says otherwise.
SHOWN = 200
EPILOG = '''
A life begins when a slab is acquired and ends when nothing of it is in use. Lives that were
there when the recording began are marked; their begin is not known. Where a recording begins in
the middle of a process's life, its first state dump tells which lives there were.
'''


def prepare_parser(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    _trace.add_trace(parser)
    parser.add_argument('--csv', action='store_true', help='a table with a header line')
    _trace.add_window(parser)
    _trace.add_scope(parser)
    parser.add_argument('--ss', metavar='ADDRESS', help='of the SuperSlab at this address')
    parser.add_argument('--slab', metavar='N', help='of the slab with this number')
    parser.add_argument('--thread', metavar='TID', help='owned by this thread')
    parser.add_argument('--limit', metavar='N', help='the first N lives (on a terminal '
                        f'{SHOWN}, else all)')


def run(args: argparse.Namespace) -> int:
    scope = _trace.scope(args)
    ss, slab, tid, limit = (
        None if text is None else _trace.number(text, option) for text, option in
        ((args.ss, '--ss'), (args.slab, '--slab'), (args.thread, '--thread'),
         (args.limit, '--limit')))
    drawn = ui.on_terminal() and not (args.json or args.csv)
    if limit is None and drawn:
        limit = SHOWN
    with reading.opened(_trace.request(args), whole=True) as source:
        wanted = LifeFilter(scope, ss, slab, tid, source.begin, source.end)
        for text in source.warnings:
            ui.note(f'warning: {text}')
        counts = source.db.life_counts(wanted)
        lives = chronicle.lives(source.db, wanted, limit)
        _reporter(args, drawn).write(source, lives, _frame(source, wanted, counts), sys.stdout)
    shown = sum(counts) if limit is None else min(limit, sum(counts))
    if shown < sum(counts) and drawn:
        ui.note(f'{shown:,} of {ui.counted(sum(counts), "life", "lives")} shown: see --limit, '
                '--from, --class')
    return OK


def _frame(source, wanted: LifeFilter, counts: tuple) -> chronicle.Frame:
    pressure = [row for row in dumps.pressure(source.db, wanted.scope)
                if (wanted.begin is None or row['time'] >= wanted.begin)
                and (wanted.end is None or row['time'] < wanted.end)]
    return chronicle.Frame(*counts, dumps.bases(source.db, wanted.scope), pressure,
                           bool(source.db.meta['batches']))


def _reporter(args: argparse.Namespace, drawn: bool):
    if args.json:
        from hak.reporters import timeline_json as reporter
    elif args.csv:
        from hak.reporters import timeline_csv as reporter
    elif drawn:
        from hak.reporters import timeline_rich as reporter
    else:
        from hak.reporters import timeline_plain as reporter
    return reporter
