"""A snapshot after the other, for programs: JSON lines, plain lines, metrics."""

import argparse
import contextlib
import json
from collections.abc import Iterator
from typing import Optional

from hak import ui
from hak.errors import HakError
from hak.live import server, signals
from hak.live.feed import Feed
from hak.live.tally import behind
from hak.reporters import openmetrics, top_plain


def run(feed: Feed, args: argparse.Namespace) -> None:
    with contextlib.ExitStack() as stack:
        stack.enter_context(signals.held())
        published = server.Published()
        if args.textfile and not args.textfile.parent.is_dir():
            raise HakError(f'{args.textfile.parent} is no directory', 'name another --textfile')
        if args.openmetrics:
            address = stack.enter_context(server.serving(args.openmetrics, published))
            ui.note(f'metrics at http://{address}/metrics')
        stack.callback(feed.close)
        feed.open()
        quiet = args.openmetrics or args.textfile
        for number, snapshot in enumerate(_told(feed, args.pid), 1):
            published.told = snapshot
            if args.textfile:
                server.replace(args.textfile, openmetrics.text(snapshot, openmetrics.PLAIN))
            if args.json:
                print(json.dumps(snapshot), flush=True)
            elif not quiet:
                top_plain.show(snapshot)
            if number == args.count:
                break


def _told(feed: Feed, pid: Optional[int]) -> Iterator[dict]:
    """Every snapshot; and when the session ends, the last one once more, with why."""
    state = feed.state
    while True:
        handle = feed.fileno()
        signals.wait([] if handle is None else [handle], feed.wait_at_most())
        received = feed.received
        if not feed.advance():
            continue
        ended = feed.state == 'ended' and state != 'ended'
        if ended:
            ui.note(f'ended: {feed.why}; waiting for the next session')
        elif state == 'ended' and feed.state == 'live':
            ui.note('live again')
        if feed.snapshot is not None and (ended or feed.received != received):
            yield told(feed, pid)
        state = feed.state


def told(feed: Feed, pid: Optional[int]) -> dict:
    """The last snapshot with what only the feed knows."""
    snapshot = feed.snapshot
    return {
        'state': feed.state, 'why': feed.why or None,
        'behind': behind(snapshot),
        **snapshot,
        'processes': [each for each in snapshot['processes'] if pid in (None, each['pid'])],
    }
