"""hak top: what the allocator does right now, in every process that is recorded."""

import argparse
import re
import sys
from pathlib import Path

from hak import ui
from hak.errors import OK, USAGE, HakError

DESCRIPTION = '''
Shows what the allocator decides while it does: rates, stages, classes and their caps, memory,
the last failures, losses. On a terminal a screen (press h there for its keys), otherwise a few
lines every interval.

Without SESSION it makes a live session of its own, for every program on hakmem that knows the
session daemon. If none runs, one is started, which programs find by themselves, those that
already run too (see `hak env`). What has been shown is not kept.

SESSION is one made with `lttng create NAME --live`: its name, if the relay daemon runs here, or
its URL, such as net://HOST/host/HOSTNAME/NAME. It tells what its events tell; a view with all
there is takes hakmem:* and the contexts vpid and procname.

When a session ends or a daemon dies, the view stays and waits for the next.
'''
EPILOG = '''
Exit codes: 0 fine, 2 usage, 3 no session can be made or read.
'''


def prepare_parser(parser: argparse.ArgumentParser) -> None:
    parser.description = DESCRIPTION
    parser.epilog = EPILOG
    parser.add_argument('session', metavar='SESSION', nargs='?', default='',
                        help='a live session to look at (default: one of our own)')
    parser.add_argument('--json', action='store_true', help='a snapshot a line, as JSON')
    parser.add_argument('--openmetrics', metavar='[HOST:]PORT', type=_address,
                        help='serve http://HOST:PORT/metrics for Prometheus, and no screen '
                        '(HOST: 127.0.0.1; PORT 0: any that is free)')
    parser.add_argument('--textfile', metavar='FILE', type=Path,
                        help="write the metrics into FILE, for node_exporter's textfile collector")
    parser.add_argument('--interval', metavar='SECONDS', type=_seconds, default=1.0,
                        help='between two snapshots (default: 1)')
    parser.add_argument('--count', metavar='N', type=_count,
                        help='end after N snapshots (default: go on)')
    parser.add_argument('--pid', metavar='PID', type=_count, help='of this process only')
    parser.add_argument('--tier', choices=('lifecycle', 'flow'), default='lifecycle',
                        help='flow: also how many blocks thread caches take and give back')


def run(args: argparse.Namespace) -> int:
    from hak.live.feed import Feed

    feed = Feed(args.session, args.interval, args.tier)
    if args.json or args.openmetrics or args.textfile or not (
            ui.on_terminal() and ui.on_terminal(sys.stdin)):
        from hak.live import stream

        stream.run(feed, args)
    else:
        from hak.reporters import top_screen

        top_screen.run(feed, args.pid, args.count)
    return OK


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(':')
    if not re.fullmatch(r'\d{1,5}', port) or int(port) > 65535:
        raise HakError(f'not a port: {text!r}', '[HOST:]PORT, such as 9464', USAGE)
    return host.strip('[]') or '127.0.0.1', int(port)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 3600:
        raise HakError(f'not an interval: {text!r}', 'from 0.1 to 3600 seconds', USAGE)
    return value


def _count(text: str) -> int:
    if not re.fullmatch(r'[0-9]{1,9}', text) or not int(text):
        raise HakError(f'not a positive number: {text!r}', '', USAGE)
    return int(text)
