"""Reads torn traces: a copy in which a stream ends with its last complete event.

Babeltrace refuses a trace of which one packet is cut short. So the stream's complete packets are
copied, and of the torn one as much as holds complete events; the rest of the trace is linked.
"""

import shutil
import sqlite3
import struct
import tempfile
from contextlib import closing
from pathlib import Path

from hak import graph
from hak.errors import HakError
from hak.traces import CONTENT_SIZE_AT, HEADER, Stream, Trace

# No event of ours is longer.
EVENT_MAX = 8192
PACKET_SIZE_AT = CONTENT_SIZE_AT + 8


def mended(trace: Trace, into: Path) -> Path:
    """A readable likeness of a damaged trace, in a new folder below `into`."""
    folder = Path(tempfile.mkdtemp(dir=into))
    (folder / 'metadata').symlink_to((trace.path / 'metadata').resolve())
    for stream in trace.streams:
        copy = folder / stream.path.name
        if stream.damaged:
            _mend(stream, trace, copy, into)
        else:
            copy.symlink_to(stream.path.resolve())
    return folder


def _mend(stream: Stream, trace: Trace, copy: Path, into: Path) -> None:
    with open(stream.path, 'rb') as source, open(copy, 'wb') as target:
        _copy(source, target, stream.whole)
        if stream.torn:
            source.seek(stream.torn.at)
            there = source.read(min(stream.size - stream.torn.at, stream.torn.content))
            target.write(complete_events(there, trace, into))


def _copy(source, target, size: int) -> None:
    while size:
        block = source.read(min(size, 1 << 20))
        if not block:
            raise HakError(f'{source.name} has become shorter while it was read')
        target.write(block)
        size -= len(block)


def complete_events(packet: bytes, trace: Trace, into: Path) -> bytes:
    """The packet cut behind its last complete event; nothing if it has none."""
    least, most = HEADER.size, len(packet)
    events, whole = _count(packet, most, trace, into)
    if whole or not events:
        return _cut(packet, most) if events else b''
    least = max(least, most - EVENT_MAX)
    # The fewest bytes that hold as many events end where the last of them does.
    while least < most:
        middle = (least + most) // 2
        if _count(packet, middle, trace, into)[0] == events:
            most = middle
        else:
            least = middle + 1
    return _cut(packet, most)


def _cut(packet: bytes, size: int) -> bytes:
    bits = struct.pack('=QQ', size * 8, size * 8)
    return packet[:CONTENT_SIZE_AT] + bits + packet[PACKET_SIZE_AT + 8:size]


def _count(packet: bytes, size: int, trace: Trace, into: Path) -> tuple[int, bool]:
    """How many events can be read from the packet's first `size` bytes; are they all of it?"""
    with tempfile.TemporaryDirectory(dir=into) as name:
        folder, database = Path(name) / 'trace', Path(name) / 'db'
        folder.mkdir()
        shutil.copy(trace.path / 'metadata', folder)
        (folder / 'stream').write_bytes(_cut(packet, size))
        failure = graph.run(graph.Reading([folder], database))
        with closing(sqlite3.connect(database)) as db:
            events = db.execute("SELECT sum(number) FROM meta WHERE key IN "
                                "('events', 'foreign')").fetchone()[0]
    return events, failure is None
