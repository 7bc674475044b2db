"""What Babeltrace is given to read: a likeness of the trace, of links and mended copies.

It has no index, which Babeltrace would believe, and nothing in it but metadata and streams that are
files. Babeltrace refuses a trace of which one packet is cut short: of such a stream the complete
packets are copied, and of the torn one as much as holds complete events.
"""

import re
import shutil
import sqlite3
import struct
import tempfile
from contextlib import closing
from pathlib import Path

from hak import apart, graph, traces
from hak.errors import HakError
from hak.traces import CONTENT_SIZE_AT, HEADER, Stream, Trace

# No event of ours is longer.
EVENT_MAX = 8192
PACKET_SIZE_AT = CONTENT_SIZE_AT + 8
_PLAIN = re.compile(r'[A-Za-z0-9_.-]{1,200}')


def likeness(trace: Trace, into: Path, without: set[Path]) -> Path:
    """A new folder below `into`, without these streams."""
    folder = Path(tempfile.mkdtemp(dir=into))
    (folder / 'metadata').symlink_to((trace.path / 'metadata').resolve())
    for number, stream in enumerate(trace.streams):
        if stream.path in without:
            continue
        name = stream.path.name
        copy = folder / (name if _PLAIN.fullmatch(name) else f'stream-{number}')
        if stream.damaged:
            _mend(stream, trace, copy, into)
        else:
            copy.symlink_to(stream.path.resolve())
    return folder


def _mend(stream: Stream, trace: Trace, copy: Path, into: Path) -> None:
    with traces.opened(stream.path) as source, open(copy, 'wb') as target:
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
    try:
        size = apart.call(_complete_bytes, packet, trace, into)
    except HakError:
        return b''   # what Babeltrace does not come back from is left out
    return _cut(packet, size) if size else b''


def _complete_bytes(packet: bytes, trace: Trace, into: Path) -> int:
    least, most = HEADER.size, len(packet)
    events, whole = _count(packet, most, trace, into)
    if whole or not events:
        return most if events else 0
    least = max(least, most - EVENT_MAX)
    # The fewest bytes that hold as many events end where the last of them does.
    while least < most:
        middle = (least + most) // 2
        if _count(packet, middle, trace, into)[0] == events:
            most = middle
        else:
            least = middle + 1
    return most


def _cut(packet: bytes, size: int) -> bytes:
    bits = struct.pack('=QQ', size * 8, size * 8)
    return packet[:CONTENT_SIZE_AT] + bits + packet[PACKET_SIZE_AT + 8:size]


def _count(packet: bytes, size: int, trace: Trace, into: Path) -> tuple[int, bool]:
    """How many events can be read from the packet's first `size` bytes; are they all of it?"""
    from hak import babeltrace

    with tempfile.TemporaryDirectory(dir=into) as name:
        folder, database = Path(name) / 'trace', Path(name) / 'db'
        folder.mkdir()
        shutil.copy(trace.path / 'metadata', folder)
        (folder / 'stream').write_bytes(_cut(packet, size))
        failure = babeltrace.read(graph.Reading([folder], database))
        with closing(sqlite3.connect(database)) as db:
            events = db.execute("SELECT sum(number) FROM meta WHERE key IN "
                                "('events', 'foreign')").fetchone()[0]
    return events, failure is None
