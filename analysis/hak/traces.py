"""What lies on the disk: the CTF traces below a directory, and whether they are whole.

Babeltrace reads traces but will not read a damaged one at all, nor say that the oldest packets of
a stream were overwritten. Both can be told from the packets' headers, whose layout LTTng-UST
has kept since it has had one.
"""

import hashlib
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, Optional

from hak.errors import HakError

# magic, uuid, stream id, stream instance; begin, end, content and packet size in bits, number of
# the packet in its stream, events discarded so far, CPU.
HEADER = struct.Struct('=I16sIQ' 'QQQQQQI')
MAGIC = 0xC1FC1FC1
CONTENT_SIZE_AT = 48
# Of the metadata: magic, uuid, checksum, content and packet size in bits, five bytes of versions.
METADATA_HEADER = struct.Struct('=I16sIII5s')
METADATA_MAGIC = 0x75D11D57
RECORD = 'give the directory that `hak record` wrote'
# Nanoseconds in which a snapshot takes all buffers.
TAKEN_WITHIN = 2 * 10 ** 9
# Of the file beside a trace that keeps what was read.
DATABASE_SUFFIX = '.hak.sqlite'


@dataclass(frozen=True)
class Packet:
    at: int
    size: int
    content: int   # bytes of it that are not padding
    begin: int
    end: int
    number: int
    stream: tuple


@dataclass(frozen=True)
class Stream:
    """One stream file; `torn`: its last packet, of which the end is missing."""
    path: Path
    size: int
    first: Optional[Packet]
    last: Optional[Packet]   # of those that are whole
    torn: Optional[Packet]
    whole: int   # bytes of complete packets

    @property
    def damaged(self) -> bool:
        return self.whole != self.size


@dataclass
class Trace:
    """A directory with a metadata file."""
    path: Path
    streams: list = field(default_factory=list)
    newest: float = 0.0

    @property
    def damaged(self) -> list:
        return [stream for stream in self.streams if stream.damaged]


def find(top: Path) -> list[Trace]:
    """All readable UST traces below a directory; HakError says why there are none."""
    folders = list(_folders(top))
    if not folders:
        if not any(top.iterdir()):
            raise HakError(f'{top} is empty: nothing was recorded there', RECORD)
        raise HakError(f'{top} is not a trace: no CTF metadata in it or below it', RECORD)
    ours = [folder for folder in folders if not _is_kernel(folder)]
    if not ours:
        raise HakError(f'{top} holds a kernel trace only', 'record with `hak record`')
    return [_trace(folder) for folder in ours]


def overwritten_until(traces: list[Trace]) -> int:
    """Until when, on the traces' clock, a stream lacks packets that were overwritten; 0: none."""
    earliest: dict[tuple, Packet] = {}
    for trace in traces:
        for stream in trace.streams:
            packet = stream.first
            if packet and packet.number < earliest.get(packet.stream, packet).number + 1:
                earliest[packet.stream] = packet
    return max((packet.begin for packet in earliest.values() if packet.number), default=0)


def unfinished_from(traces: list[Trace]) -> int:
    """From when on, on the traces' clock, a stream may lack events that were still to come; 0: never.

    A snapshot takes the buffers of what goes on running one after the other. What ended long before
    the others has ended with its process.
    """
    ends = [stream.last.end for trace in traces for stream in trace.streams if stream.last]
    return min((end for end in ends if end + TAKEN_WITHIN > max(ends)), default=0)


def newest(traces: list[Trace]) -> float:
    return max(trace.newest for trace in traces)


def identity(traces: list[Trace]) -> str:
    """The same for the same recording, wherever it lies."""
    digest = hashlib.sha256()
    for trace in traces:
        for stream in trace.streams:
            digest.update(repr((stream.path.name, stream.size, stream.first)).encode())
    return digest.hexdigest()


def _folders(top: Path) -> Iterator[Path]:
    try:
        if not top.exists():
            raise HakError(f'{top} does not exist', RECORD)
        if not top.is_dir():
            raise HakError(f'{top} is a file, not the directory of a trace', RECORD)
        for folder, below, files in os.walk(top, onerror=_refuse):
            below.sort()
            if 'metadata' in files:
                below.clear()
                yield Path(folder)
    except PermissionError as error:
        _refuse(error)


def _refuse(error: OSError) -> None:
    raise HakError(f'{error.filename}: {error.strerror}',
                   'read it as the user who recorded it, or as root')


def _read(path: Path, size: int, at: int = 0) -> bytes:
    try:
        with open(path, 'rb') as file:
            file.seek(at)
            return file.read(size)
    except OSError as error:
        _refuse(error)


def _check_metadata(path: Path) -> bool:
    """Babeltrace never comes back from metadata of which the last packet is not whole.

    False: plain text, as lttng-crash and other writers of CTF than LTTng make it.
    """
    at, size = 0, path.stat().st_size
    while at < size or not size:
        header = _read(path, METADATA_HEADER.size, at).ljust(METADATA_HEADER.size, b'\0')
        magic, _, _, content, packet, _ = METADATA_HEADER.unpack(header)
        if size and magic != METADATA_MAGIC and at == 0:
            return False
        if (magic != METADATA_MAGIC or packet % 8 or content > packet
                or packet // 8 < METADATA_HEADER.size or at + packet // 8 > size):
            raise HakError(f'{path} is damaged at byte {at:,} of {size:,}',
                           'without it no event can be read')
        at += packet // 8
    return True


def _is_kernel(folder: Path) -> bool:
    return b'domain = "kernel"' in _read(folder / 'metadata', 1 << 20)


def _is_crash(folder: Path) -> bool:
    """Are the streams LTTng's, copied from its buffers? Other writers of CTF take over the tracer's
    name, but declare packet headers of their own."""
    text = _read(folder / 'metadata', 1 << 20)
    return b'tracer_name = "lttng-ust"' in text and b'uint64_t stream_instance_id;' in text


def _trace(folder: Path) -> Trace:
    lttng = _check_metadata(folder / 'metadata') or _is_crash(folder)
    trace = Trace(folder, newest=(folder / 'metadata').stat().st_mtime)
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_file() and entry.name != 'metadata' and not entry.name.startswith('.'):
            path, size = Path(entry.path), entry.stat().st_size
            trace.streams.append(_stream(path, size) if lttng
                                 else Stream(path, size, None, None, None, size))
            trace.newest = max(trace.newest, entry.stat().st_mtime)
    return trace


def _stream(path: Path, size: int) -> Stream:
    first, last, at = None, None, 0
    try:
        with open(path, 'rb') as file:
            while at < size:
                file.seek(at)
                packet = _packet(file.read(HEADER.size), at)
                if packet is None:
                    # Not LTTng's: for Babeltrace to judge, unless it follows what was.
                    return Stream(path, size, first, last, None, at if first else size)
                if at + packet.size > size:
                    return Stream(path, size, first or packet, last, packet, at)
                first, last = first or packet, packet
                at += packet.size
    except OSError as error:
        _refuse(error)
    return Stream(path, size, first, last, None, size)


def _packet(header: bytes, at: int) -> Optional[Packet]:
    if len(header) < HEADER.size:
        return None
    magic, uuid, stream, instance, begin, end, content, size, number, _, _ = HEADER.unpack(header)
    if magic != MAGIC or size % 8 or size < content or size // 8 < HEADER.size:
        return None
    return Packet(at, size // 8, content // 8, begin, end, number, (uuid, stream, instance))
