"""From a TRACE on the command line to an open database: found again, or read now."""

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Optional

from hak import cache, completeness, db, graph, places, roll, salvage, times, traces, ui
from hak.errors import USAGE, HakError

SUFFIX = traces.DATABASE_SUFFIX
NAME_MAX = 255
# Streams of which parts are missing that a warning names.
WARNINGS_SHOWN = 20


@dataclass(frozen=True)
class Request:
    """What the command line says about the trace and the time of interest."""
    trace: Path
    database: Optional[Path] = None
    begin: Optional[str] = None
    end: Optional[str] = None


@dataclass
class Source:
    """A read trace. warnings: what keeps it from being the whole story; doubts, which are among them:
    why nobody can say that all is there."""
    trace: Path
    db: db.Database
    folders: list
    begin: Optional[int] = None     # the window, nanoseconds since the epoch
    end: Optional[int] = None
    warnings: list = field(default_factory=list)
    doubts: list = field(default_factory=list)

    @property
    def first(self) -> int:
        return self.db.meta['first']


@contextlib.contextmanager
def opened(request: Request, whole: bool = False) -> Iterator[Source]:
    """The trace's database; whole=True: of all of it, the window being the caller's business."""
    found = traces.find(request.trace)
    with places.scratch() as scratch:
        source = _source(request, found, scratch, whole)
        try:
            yield source
        finally:
            source.db.close()


def _source(request: Request, found: list, scratch: Path, whole: bool) -> Source:
    findings = completeness.look(found)
    folders = {salvage.likeness(trace, scratch, findings.repeated): trace.path for trace in found}
    try:
        begin, end = _window(request, list(folders))
        bounds = (None, None) if whole else (begin, end)
        kept = _place(request, any(bounds))
        reading = graph.Reading(
            list(folders), scratch / 'db', *bounds, traces.overwritten_until(found),
            traces.unfinished_from(found), findings.missing,
            _identity(found, findings, bounds))
        database, failure = _database(reading, kept, request.trace)
    except HakError as error:
        raise HakError(_named(error.message, folders, request.trace), error.remedy,
                       error.code) from None
    source = Source(request.trace, database, list(folders), begin, end,
                    _warnings(found, findings), findings.doubts)
    _judge(source, failure and _named(failure, folders, None))
    return source


def _identity(found: list, findings: completeness.Findings, bounds: tuple) -> str:
    """Of everything that the database depends on."""
    facts = (traces.identity(found), bounds, graph.built(), findings.missing,
             sorted(map(str, findings.repeated)))
    return hashlib.sha256(repr(facts).encode('utf-8', 'surrogateescape')).hexdigest()


def _database(reading: graph.Reading, kept: Optional[Path],
              trace: Path) -> tuple[db.Database, Optional[str]]:
    """Found where it is kept, or read and kept there; and what went wrong in the middle of that."""
    if kept is None:
        failure = _read(reading, trace)
        return db.Database(reading.database), failure
    if cache.fresh(kept, reading.identity):
        return db.Database(kept), None
    with places.part(kept.parent) as (part, fd):
        try:
            failure = _read(replace(reading, database=part), trace)
        except HakError as error:
            raise HakError(error.message.replace(part.name, str(kept)), error.remedy,
                           error.code) from None
        if failure is None:
            cache.seal(fd)
        try:
            part.rename(kept)
        except OSError as error:   # a directory lies there
            raise HakError(f'cannot create: {kept}: {error.strerror}',
                           'name another file with --db') from None
    return db.Database(kept), failure


def _named(text: str, folders: dict, trace: Optional[Path]) -> str:
    """With the names that the user knows."""
    for likeness, path in folders.items():
        text = text.replace(str(likeness), str(path))
    return text if trace is None or str(trace) in text else f'{trace}: {text}'


def _warnings(found: list, findings: completeness.Findings) -> list[str]:
    """What had to be left out, and why not all need be there."""
    cut = [f'{stream.path} is cut short in the packet at byte '
           f'{stream.torn.at if stream.torn else stream.whole:,}: read up to there'
           for trace in found for stream in trace.damaged]
    lacking = [f'{_lacking(each)} missing' for each in findings.missing
               if not any(stream.path.name == each.stream for trace in found
                          for stream in trace.damaged)]
    shown = lacking[:WARNINGS_SHOWN]
    if more := len(lacking) - len(shown):
        shown.append(f'… and parts of {ui.counted(more, "stream")} more are missing')
    return [*cut, *findings.doubts, *shown,
            *([roll.told(findings.unrecorded)] if findings.unrecorded else [])]


def _lacking(each: graph.Missing) -> str:
    if each.packets:
        return (f'{ui.counted(each.packets, "packet")} of the stream {each.stream} '
                f'{"is" if each.packets == 1 else "are"}')
    return f'a part of {each.stream} is' if each.begin else f'{each.stream} is'


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
        kept = request.database.resolve().parent / request.database.name
        if not kept.parent.is_dir():
            raise HakError(f'cannot create: {request.database}: {kept.parent} is no directory',
                           'name another file with --db')
        if not places.safe(kept.parent):
            raise HakError(f'cannot create: {request.database}: other users may change what is in '
                           f'{kept.parent}', 'name a file elsewhere with --db')
        return kept
    if windowed:
        return None
    kept, safe = cache.place_for(request.trace, SUFFIX)
    if not os.access(kept.parent, os.W_OK) or len(os.fsencode(kept.name)) > NAME_MAX:
        return None
    if not safe:
        ui.note(f'{kept.parent} is not yours alone: what is read is not kept there')
        return None
    return None if kept.is_dir() else kept


def _read(reading: graph.Reading, trace: Path) -> Optional[str]:
    if not ui.on_terminal(sys.stderr):
        return graph.run(reading)
    span = graph.time_range(reading.folders)
    label = f'reading {ui.clean(trace.name)}'
    with ui.progress(label, span[1] - span[0] if span else None) as advance:
        done = span[0] if span else 0

        def told(now: int) -> None:
            nonlocal done
            if span and now > done:
                advance(now - done)
                done = now

        return graph.run(reading, told)


def _judge(source: Source, failure: Optional[str]) -> None:
    """Is there something to tell? What has to be told with it?"""
    meta = source.db.meta
    if not meta['events'] and (meta['foreign'] or meta['end'] is None):
        if failure:
            raise HakError(f'{source.trace}: {failure}', 'nothing of the trace can be read')
        other = ' but those of another program' if meta['foreign'] else ''
        raise HakError(f'{source.trace} holds no events of hakmem{other}',
                       'record with `hak record`')
    if meta['unknown']:
        source.warnings.append(f'{ui.counted(meta["unknown"], "event")} of kinds that this version of '
                               'hak does not know: the trace was recorded by another version')
    if not meta['whole']:
        when = times.since(meta['last'], meta['first'])
        source.doubts = [*source.doubts, 'the trace is damaged']
        source.warnings.append('the trace is damaged and was read up to '
                               f'{when} s after its begin' + (f': {failure}' if failure else ''))
