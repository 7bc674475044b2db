"""From a TRACE on the command line to an open database: found again, or read now."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from hak import db, graph, times, traces, ui
from hak.errors import USAGE, HakError

SUFFIX = traces.DATABASE_SUFFIX


@dataclass(frozen=True)
class Request:
    """What the command line says about the trace and the time of interest."""
    trace: Path
    database: Optional[Path] = None
    begin: Optional[str] = None
    end: Optional[str] = None


@dataclass
class Source:
    """A read trace. warnings: what keeps it from being the whole story."""
    trace: Path
    db: db.Database
    folders: list
    begin: Optional[int] = None     # the window, nanoseconds since the epoch
    end: Optional[int] = None
    warnings: list = field(default_factory=list)

    @property
    def first(self) -> int:
        return self.db.meta['first']


@contextlib.contextmanager
def opened(request: Request, whole: bool = False) -> Iterator[Source]:
    """The trace's database; whole=True: of all of it, the window being the caller's business."""
    found = traces.find(request.trace)
    with tempfile.TemporaryDirectory(prefix='hak-read-') as scratch:
        folders, warnings = _readable(found, Path(scratch))
        begin, end = _window(request, folders)
        bounds = (None, None) if whole else (begin, end)
        identity = ' '.join(map(str, (traces.identity(found), *bounds)))
        newest = max(traces.newest(found), graph.built())
        there, failure = _place(request, any(bounds)), None
        if there is None or warnings or not db.fresh(there, newest, identity):
            if there is None or not (request.database or os.access(there.parent, os.W_OK)):
                there = Path(scratch) / 'db'
            reading = graph.Reading(folders, there, *bounds, traces.overwritten_until(found),
                                    traces.unfinished_from(found), identity)
            failure = _read(reading, request.trace)
        source = Source(request.trace, db.Database(there), folders, begin, end, warnings)
        try:
            _judge(source, failure)
            yield source
        finally:
            source.db.close()


def _readable(found: list, scratch: Path) -> tuple[list, list]:
    """Folders that Babeltrace can read, and what had to be left out for that."""
    folders, warnings = [], []
    for trace in found:
        if not trace.damaged:
            folders.append(trace.path)
            continue
        from hak import salvage

        folders.append(salvage.mended(trace, scratch))
        for stream in trace.damaged:
            at = stream.torn.at if stream.torn else stream.whole
            warnings.append(f'{stream.path} is cut short in the packet at byte {at:,}: read up '
                            'to there')
    return folders, warnings


def _window(request: Request, folders: list) -> tuple[Optional[int], Optional[int]]:
    if request.begin is None and request.end is None:
        return None, None
    first = graph.first_time(folders)
    if first is None:
        return None, None  # no events: said later
    begin, end = (None if text is None else times.parse(text, first)
                  for text in (request.begin, request.end))
    if begin is not None and end is not None and end <= begin:
        raise HakError(f'--to {request.end} is not after --from {request.begin}',
                       'swap them', USAGE)
    return begin, end


def _place(request: Request, windowed: bool) -> Optional[Path]:
    """Where the database is or will be kept. A window's is of no use to anybody later: None."""
    if request.database is not None:
        return request.database
    trace = request.trace.resolve()
    return None if windowed or not trace.name else trace.with_name(trace.name + SUFFIX)


def _read(reading: graph.Reading, trace: Path) -> Optional[str]:
    span = graph.time_range(reading.folders) if ui.on_terminal(ui.sys.stderr) else None
    label = f'reading {trace.name}'
    with ui.progress(label, span[1] - span[0] if span else None) as advance:
        done = span[0] if span else 0

        def step(now: int) -> None:
            nonlocal done
            if span and now > done:
                advance(now - done)
                done = now

        return graph.run(reading, step)


def _judge(source: Source, failure: Optional[str]) -> None:
    """Is there something to tell? What has to be told with it?"""
    meta = source.db.meta
    if not meta['events'] and (meta['foreign'] or meta['end'] is None):
        if failure:
            raise HakError(f'{source.trace}: {failure}', 'nothing of the trace can be read')
        other = ' but those of another program' if meta['foreign'] else ''
        raise HakError(f'{source.trace} holds no events of hakmem{other}',
                       'record with `hak record`')
    if not meta['whole']:
        when = times.since(meta['last'], meta['first'])
        source.warnings.append('the trace is damaged and was read up to '
                               f'{when} s after its begin' + (f': {failure}' if failure else ''))
