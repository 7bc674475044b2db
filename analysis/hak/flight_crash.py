"""The ring buffers of the dead: what lttng-crash makes of them, made readable.

A process that is killed between reserving an event's place and filling it leaves a sub-buffer that
is never complete. LTTng's snapshots lack it, with its last words; lttng-crash recovers it, with no
end time and perhaps with half an event. And once the writers have come round to such a hole
again, LTTng (2.13) drops all that they have to say, and where no packet is written any more, no
count of it is either: only a new session helps.
"""

import contextlib
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from hak import completeness, traces
from hak.errors import HakError
from hak.lttng import INSTALL, environment
from hak.traces import HEADER, Trace

SECONDS = 60
# In a packet's header: end; content, size, number and discarded events behind it.
_END_AT = 40
_WORD = struct.Struct('=Q')
# How LTTng lays out the shared memory of a session, whose folder may be the one that is named.
_LAYOUT = ('ust/*/*/*/metadata', '*/ust/*/*/*/metadata', 'ust/*/*/metadata', '*/ust/*/*/metadata')
# What the file of a CPU's ring buffers begins with.
_BUFFERS = (b'\x17\x7b\xf1\x77\xbf' * 4)[:16]


@dataclass
class Packet:
    number: int
    begin: int
    data: bytes

    @property
    def end(self) -> int:
        """0: of a sub-buffer that was never completed."""
        return _WORD.unpack_from(self.data, _END_AT)[0]

    def nothing_after(self, time: int) -> 'Packet':
        """An empty packet at `time`, before which at least one event was discarded."""
        fields = list(HEADER.unpack_from(self.data))
        bits = HEADER.size * 8
        fields[4:10] = [time, time, bits, bits, self.number + 1, fields[9] + 1]
        return Packet(self.number + 1, time, HEADER.pack(*fields))

    def ended(self, time: int) -> 'Packet':
        data = bytearray(self.data)
        _WORD.pack_into(data, _END_AT, time)
        return Packet(self.number, self.begin, bytes(data))


def holds_buffers(folder: Path) -> bool:
    """Is it the shared memory of a session?"""
    return any(_begins(file, _BUFFERS) for layout in _LAYOUT for metadata in folder.glob(layout)
               for file in metadata.parent.iterdir() if file.is_file())


def extract(shm: Path, target: Path) -> None:
    """Makes a trace of ring buffers that nobody writes to any more."""
    _run(shm, target)
    for trace in traces.find(target):
        for path, packets in _streams(trace).items():
            _write(path, _settled(packets, trace))


def holes(shm: Path, count: int) -> set[str]:
    """Sub-buffers that were left incomplete although later ones were begun. `count`:
    sub-buffers of a stream.

    A writer that the scheduler has put aside looks the same, but not for long: ask twice.
    """
    if not any(shm.rglob('metadata')):
        return set()
    with tempfile.TemporaryDirectory(prefix='hak-read-') as scratch:
        try:
            _run(shm, Path(scratch) / 'trace')
            return {f'{path.relative_to(scratch)} {hole}'
                    for trace in traces.find(Path(scratch) / 'trace')
                    for path, packets in _streams(trace).items()
                    if (hole := _hole(packets, count)) is not None}
        except HakError:
            return set()  # being laid out at this moment


@contextlib.contextmanager
def completing(shm: Path, count: int) -> Iterator[list[Path]]:
    """While a snapshot is taken within: what the snapshot, which the caller puts into the list,
    lacks of what shared memory held before is put into it, and the indexes that LTTng does not
    make for snapshots. `count`: sub-buffers of a stream."""
    snapshots: list[Path] = []
    with tempfile.TemporaryDirectory(prefix='hak-read-') as scratch:
        before = Path(scratch) / 'trace'
        with contextlib.suppress(HakError):
            _run(shm, before)
        yield snapshots
        for snapshot in snapshots:
            with contextlib.suppress(HakError):   # it is empty
                for trace in traces.find(snapshot):
                    for stream in trace.streams:
                        _index(stream.path, _in_file(stream.path))
            for path in before.rglob('metadata') if before.exists() else ():
                inner = path.parent.relative_to(before)
                if (snapshot / inner / 'metadata').exists():
                    _complete(traces.find(path.parent)[0], traces.find(snapshot / inner)[0],
                              count)


def _complete(before: Trace, snapshot: Trace, count: int) -> None:
    there = {path.name: packets for path, packets in _streams(snapshot).items()}
    last = max((packet.end for packets in there.values() for packet in packets), default=0)
    for path, packets in _streams(before).items():
        taken = there.get(path.name, [])
        known = {packet.number for packet in taken}
        first = min(known, default=0)
        lacking = [packet for packet in packets
                   if packet.number >= first and packet.number not in known]
        whole = _settled(sorted([*taken, *lacking], key=lambda each: each.number), before)
        stuck = whole and _stuck(packets, count) and whole[-1].number == packets[-1].number
        if stuck and (packets[-1].end or packets[-1].number not in known):
            whole.append(whole[-1].nothing_after(last))
        if lacking or stuck:
            _write(snapshot.path / path.name, whole)


def _hole(packets: list[Packet], count: int) -> Optional[int]:
    """The number of the newest one, if there is one."""
    if not packets:
        return None
    last = first = packets[-1].number
    for packet in reversed(packets[:-1]):
        if packet.number != first - 1 or not packet.end:
            break
        first = packet.number
    return first - 1 if first > max(0, last - count + 1) else None


def _stuck(packets: list[Packet], count: int) -> bool:
    """Have the writers come round to the hole?"""
    hole = _hole(packets, count)
    return hole is not None and hole == packets[-1].number - count + 1


def _settled(packets: list[Packet], trace: Trace) -> list[Packet]:
    """Packets without an end: up to their last complete event, and until the next begins."""
    from hak import salvage

    result = []
    for packet, following in zip(packets, [*packets[1:], None]):
        if not packet.end:
            with tempfile.TemporaryDirectory(prefix='hak-read-') as scratch:
                data = salvage.complete_events(packet.data, trace, Path(scratch))
            if not data:
                continue
            packet = Packet(packet.number, packet.begin, data)
            # 0 stays for the last one: Babeltrace takes the last event's time then.
            packet = packet.ended(following.begin) if following else packet
        result.append(packet)
    return result


def _begins(path: Path, magic: bytes) -> bool:
    with open(path, 'rb') as file:
        return file.read(len(magic)) == magic


def _streams(trace: Trace) -> dict[Path, list[Packet]]:
    return {stream.path: _packets(stream.path) for stream in trace.streams}


def _packets(path: Path) -> list[Packet]:
    """Of a stream file of LTTng's, in their order; without what is torn at its end."""
    return sorted(_in_file(path), key=lambda packet: packet.number)


def _in_file(path: Path) -> list[Packet]:
    data, at, found = path.read_bytes(), 0, []
    while at + HEADER.size <= len(data):
        magic, _, _, _, begin, _, _, size, number, _, _ = HEADER.unpack_from(data, at)
        if magic != traces.MAGIC or size // 8 < HEADER.size or at + size // 8 > len(data):
            break
        found.append(Packet(number, begin, data[at:at + size // 8]))
        at += size // 8
    return found


def _write(path: Path, packets: list[Packet]) -> None:
    _replace(path, [packet.data for packet in packets])
    _index(path, packets)


def _index(path: Path, packets: list[Packet]) -> None:
    """By it readers know that no packet of the stream is missing. LTTng makes none for snapshots."""
    index = path.parent / 'index' / f'{path.name}.idx'
    index.parent.mkdir(mode=0o700, exist_ok=True)
    entries, at = [completeness.INDEX_HEADER.pack(*completeness.INDEX_BEGINS)], 0
    for packet in packets:
        entries.append(_entry(packet, at))
        at += len(packet.data)
    _replace(index, entries)


def _replace(path: Path, parts: list[bytes]) -> None:
    part = path.with_name(f'.{path.name}.{os.getpid()}')
    part.write_bytes(b''.join(parts))
    part.rename(path)


def _entry(packet: Packet, at: int) -> bytes:
    _, _, stream, instance, begin, end, content, size, number, discarded, _ = \
        HEADER.unpack_from(packet.data)
    return completeness.ENTRY.pack(at, size, content, begin, end, discarded, stream, instance,
                                   number)


def _run(shm: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(['lttng-crash', f'--extract={target}', str(shm)],
                              env=environment(), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors='replace', timeout=SECONDS, check=False)
    except FileNotFoundError:
        raise HakError('lttng-crash is missing', INSTALL) from None
    except subprocess.TimeoutExpired:
        shutil.rmtree(target, ignore_errors=True)
        raise HakError(f'lttng-crash did not end in {SECONDS} s', f'{shm} is damaged') from None
    if done.returncode != 0 or not any(target.rglob('metadata')):
        shutil.rmtree(target, ignore_errors=True)
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise HakError(f'nothing can be read from {shm}',
                       (lines[-1] if lines else 'no program was recorded')
                       .removeprefix('Error: '))
