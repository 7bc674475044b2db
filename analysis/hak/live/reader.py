"""The process that reads a live session: a snapshot a line on stdout, until the session ends.

A process of its own, for a relay daemon that hangs must not hang the screen, and for Babeltrace
may end the process over an error. Its lines are JSON: {"attached": true} once, snapshots, and at
the end {"ended": why}.
"""

import json
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

import bt2

from hak.live.tally import Tally

# Babeltrace asks the relay daemon again this often when nothing has come.
PAUSE = 0.05
# Between two looks at which processes still live.
LOOK = 1.0
# A process that is not to be seen in /proc, such as one of another host, has ended when it has
# missed two of the state dumps that it makes every five seconds.
SILENCE = 12_000_000_000
PAGE = resource.getpagesize()


def main(url: str, interval: float) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)   # a terminal's Ctrl-C is for who started us
    tally = Tally()
    try:
        messages = bt2.TraceCollectionMessageIterator(_source(url))
    except bt2._Error as error:
        _say({'ended': _first_cause(error)})
        return
    _follow(messages, tally, interval)


def sessions(url: str) -> list[dict]:
    """The live sessions of the relay daemon at net://HOST[:PORT]; bt2._Error if none answers."""
    query = bt2.QueryExecutor(_live(), 'sessions', {'url': url}).query()
    return [{'name': str(each['session-name']), 'url': str(each['url'])} for each in query]


def _live():
    return bt2.find_plugin('ctf').source_component_classes['lttng-live']


def _source(url: str):
    return bt2.ComponentSpec(_live(), {'inputs': [url], 'session-not-found-action': 'fail'})


def _follow(messages: Any, tally: Tally, interval: float) -> None:
    local: set[int] = set()
    attached = False
    due = look = time.monotonic()
    why = 'the session has ended'
    while True:
        try:
            _take(tally, next(messages))
            waits = False
        except bt2.TryAgain:
            waits = True
        except StopIteration:
            break
        except bt2._Error as error:
            why = _first_cause(error)
            break
        if not attached:   # only asking for messages attaches
            _say({'attached': True})
            attached = True
        if time.monotonic() >= look:
            _look(tally, local)
            look = time.monotonic() + LOOK
        if time.monotonic() >= due:
            due = time.monotonic() + interval
            _say(tally.snapshot())
        if waits:
            time.sleep(PAUSE)
    _say(tally.snapshot())
    _say({'ended': why})


def _take(tally: Tally, message: Any) -> None:
    kind = type(message)
    if kind is bt2._EventMessageConst:
        _, _, name = message.event.name.rpartition(':')
        context = message.event.common_context_field
        context = {} if context is None else context
        pid = int(context['vpid']) if 'vpid' in context else 0
        # Of other threads, procname is what the thread is called.
        main = 'vtid' in context and context['vtid'] == pid and 'procname' in context
        comm = _text(str(context['procname'])) if main else ''
        tally.event(name, message.default_clock_snapshot.ns_from_origin, pid, comm,
                    _Payload(message.event.payload_field))
    elif kind is bt2._MessageIteratorInactivityMessageConst:
        tally.reach(message.clock_snapshot.ns_from_origin)
    elif kind is bt2._DiscardedEventsMessageConst:
        tally.lost['events'] += message.count or 0
    elif kind is bt2._DiscardedPacketsMessageConst:
        tally.lost['packets'] += message.count or 0


class _Payload:
    """Plain values of those fields that are asked for."""

    def __init__(self, fields: Any):
        self.fields = fields

    def __contains__(self, name: str) -> bool:
        return name in self.fields

    def __getitem__(self, name: str) -> Any:
        value = self.fields[name]
        if isinstance(value, bt2._EnumerationFieldConst):
            labels = value.labels
            return labels[0] if labels else f'?{int(value)}'
        return _text(str(value)) if isinstance(value, bt2._StringFieldConst) else int(value)


def _look(tally: Tally, local: set[int]) -> None:
    """LTTng tells nobody when a process ends, and a state dump tells the RSS now and then only.

    local: the pids that we know to be what /proc shows under that number. Those of another host
    or of a container need not be.
    """
    for process in tally.processes.values():
        if process.ended is not None or not process.os_pid:
            continue
        comm, rss = _seen(process.os_pid)
        process.name = process.name or comm
        if comm and comm == process.name:
            local.add(process.os_pid)
            process.memory['rss'] = rss
        elif process.os_pid in local and not comm or tally.now - process.last > SILENCE:
            process.ended = tally.now


def _seen(pid: int) -> tuple[str, int]:
    """What /proc calls the process, and its resident bytes; nothing if it is not there."""
    try:
        folder = Path(f'/proc/{pid}')
        pages = int((folder / 'statm').read_text().split()[1])
        comm = _text((folder / 'comm').read_text(errors='surrogateescape').removesuffix('\n'))
    except (OSError, IndexError):
        return '', 0
    return (comm, pages * PAGE) if pages else ('', 0)   # without pages: a zombie


def _text(name: str) -> str:
    """A name may be any bytes; what we print may not."""
    return name.encode('utf-8', 'surrogateescape').decode('utf-8', 'replace')


def _first_cause(error: bt2._Error) -> str:
    text = error[0].message
    return 'the relay daemon has closed the connection' if 'closed connection' in text else text


def _say(value: dict) -> None:
    try:
        print(json.dumps(value), flush=True)
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None


if __name__ == '__main__':
    main(sys.argv[1], float(sys.argv[2]))
