"""What lies on the disk: the CTF traces below a directory, and whether they are whole.

Babeltrace reads traces but will not read a damaged one at all, nor say that the oldest packets of
a stream were overwritten. Both can be told from the packets' headers, whose layout LTTng-UST
has kept since it has had one.
"""

import hashlib
import os
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Iterator, Optional

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
# Of LTTng-UST's for all our events: 32 KiB.
METADATA_MOST = 64 << 20
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
    stream: tuple  # UUID of the trace, stream id, number of the stream among those with this id
    discarded: int
    cpu: int


@dataclass(frozen=True)
class Stream:
    """One stream file; `torn`: its last packet, of which the end is missing."""
    path: Path
    size: int
    first: Optional[Packet]
    last: Optional[Packet]   # of those that are whole
    torn: Optional[Packet]
    whole: int   # bytes of complete packets
    mark: str = ''   # what changes when the file does
    packets: tuple = ()   # those that are whole

    @property
    def damaged(self) -> bool:
        return self.whole != self.size


@dataclass
class Trace:
    """A directory with a metadata file."""
    path: Path
    streams: list = field(default_factory=list)
    lttng: bool = True       # its packets have LTTng's headers
    text: str = ''           # its metadata
    packetized: bool = False   # which lies in packets, as a session daemon writes it
    mark: str = ''

    @property
    def damaged(self) -> list:
        return [stream for stream in self.streams if stream.damaged]

    @property
    def shared(self) -> bool:
        """Are its buffers those of all processes of a user, which a session ends all at once?"""
        return 'tracer_buffering_scheme = "uid"' in self.text and self.packetized


def find(top: Path) -> list[Trace]:
    """All readable UST traces below a directory; HakError says why there are none."""
    folders = list(_folders(top))
    if not folders:
        if (top / 'metadata').exists():
            raise HakError(f'{top}/metadata is not a file', 'the trace is damaged')
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

    A session that is stopped ends its streams after the last event of all, but a snapshot takes the
    buffers of what goes on running one after the other, and who is killed takes none. Buffers of one
    process that ended long before the others have ended with it.
    """
    last: dict[tuple, tuple[int, bool]] = {}
    for trace in traces:
        for stream in trace.streams:
            if stream.last and stream.last.end:
                key = stream.last.stream
                last[key] = (max(stream.last.end, *last.get(key, (0,))[:1]), trace.shared)
    ends = last.values()
    latest = max((end for end, _ in ends), default=0)
    return min((end for end, shared in ends if shared or end + TAKEN_WITHIN > latest), default=0)


def identity(traces: list[Trace]) -> str:
    """The same while no file has been touched."""
    digest = hashlib.sha256()
    for trace in traces:
        digest.update(trace.mark.encode())
        for stream in trace.streams:
            digest.update(repr((os.fsencode(stream.path.name), stream.mark, stream.first)).encode())
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


def opened(path: Path) -> IO:
    """A regular file, to be read. Whatever else has its name would make us wait, or worse."""
    try:
        file = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), 'rb')
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise HakError(f'{path} is not a file', 'the trace is damaged')
        return file
    except OSError as error:
        _refuse(error)


def read(path: Path, size: int, at: int = 0) -> bytes:
    with opened(path) as file:
        file.seek(at)
        # What is asked for is there in memory at once, even if the file is short.
        return file.read(min(size, max(0, os.fstat(file.fileno()).st_size - at)))


def _mark(info: os.stat_result) -> str:
    return f'{info.st_dev} {info.st_ino} {info.st_size} {info.st_mtime_ns} {info.st_ctime_ns}'


def _metadata(path: Path) -> tuple[str, bool]:
    """The text, and whether it lay there in packets. Babeltrace never comes back from metadata of
    which the last packet is not whole.

    Plain text is what lttng-crash and other writers of CTF than LTTng make.
    """
    raw = read(path, METADATA_MOST + 1)
    if len(raw) > METADATA_MOST:
        raise HakError(f'{path} is larger than metadata is', 'the trace is damaged')
    at, parts = 0, []
    while at < len(raw) or not raw:
        header = raw[at:at + METADATA_HEADER.size].ljust(METADATA_HEADER.size, b'\0')
        magic, _, _, content, packet, _ = METADATA_HEADER.unpack(header)
        if raw and magic != METADATA_MAGIC and at == 0:
            return raw.decode('utf-8', 'replace'), False
        if (magic != METADATA_MAGIC or packet % 8 or content > packet
                or packet // 8 < METADATA_HEADER.size or at + packet // 8 > len(raw)):
            raise HakError(f'{path} is damaged at byte {at:,} of {len(raw):,}',
                           'without it no event can be read')
        parts.append(raw[at + METADATA_HEADER.size:at + content // 8])
        at += packet // 8
    return b''.join(parts).decode('utf-8', 'replace'), True


def _is_kernel(folder: Path) -> bool:
    return b'domain = "kernel"' in read(folder / 'metadata', METADATA_MOST)


def _trace(folder: Path) -> Trace:
    text, packetized = _metadata(folder / 'metadata')
    # lttng-crash's streams are LTTng's, copied from its buffers. Other writers of CTF take over the
    # tracer's name, but declare packet headers of their own.
    lttng = packetized or ('tracer_name = "lttng-ust"' in text
                           and 'uint64_t stream_instance_id;' in text)
    trace = Trace(folder, lttng=lttng, text=text, packetized=packetized,
                  mark=_mark(os.stat(folder / 'metadata')))
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if _is_stream(entry):
            trace.streams.append(_stream(Path(entry.path), lttng))
    return trace


def _is_stream(entry: os.DirEntry) -> bool:
    try:
        return entry.is_file() and entry.name != 'metadata' and not entry.name.startswith('.')
    except OSError:   # links that go in a circle
        return False


def _stream(path: Path, lttng: bool) -> Stream:
    with opened(path) as file:
        info = os.fstat(file.fileno())
        mark, size = _mark(info), info.st_size
        if not lttng:
            return Stream(path, size, None, None, None, size, mark)
        packets, at = [], 0
        while at < size:
            file.seek(at)
            packet = _packet(file.read(HEADER.size), at)
            if packet is None:
                # Not LTTng's: for Babeltrace to judge, unless it follows what was.
                return _of(path, size, packets, None, at if packets else size, mark)
            if at + packet.size > size:
                return _of(path, size, packets, packet, at, mark)
            packets.append(packet)
            at += packet.size
    return _of(path, size, packets, None, size, mark)


def _of(path: Path, size: int, packets: list, torn: Optional[Packet], whole: int,
        mark: str) -> Stream:
    first = packets[0] if packets else torn
    return Stream(path, size, first, packets[-1] if packets else None, torn, whole, mark,
                  tuple(packets))


def _packet(header: bytes, at: int) -> Optional[Packet]:
    if len(header) < HEADER.size:
        return None
    (magic, uuid, stream, instance, begin, end, content, size, number, discarded,
     cpu) = HEADER.unpack(header)
    if magic != MAGIC or size % 8 or size < content or size // 8 < HEADER.size:
        return None
    return Packet(at, size // 8, content // 8, begin, end, number, (uuid, stream, instance),
                  discarded, cpu)
