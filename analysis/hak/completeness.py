"""Is all there that was recorded? What can be known of that without reading the events.

    witness                                 says
    index/STREAM.idx beside the streams     which packets there were of a stream
    the other streams                       that each CPU has one of each kind, and none twice
    the metadata                            of which kinds there are any
    the note that `hak record` leaves       which files there were, how it ended; and beside a snapshot,
                                          which has no indexes, the one that flight leaves

A witness may be damaged as well: then what it was to vouch for is in doubt.
"""

import hashlib
import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence

from hak import roll, traces
from hak.errors import HakError
from hak.graph import Missing
from hak.traces import Packet, Stream, Trace

# Magic, major, minor, bytes of an entry; all big-endian.
INDEX_HEADER = struct.Struct('>IIII')
_INDEX_MAGIC = 0xC1F1DCC1
# Offset in bytes, size and content in bits, begin, end, events discarded, stream id, stream
# instance, number of the packet.
ENTRY = struct.Struct('>QQQQQQQQQ')
INDEX_BEGINS = (_INDEX_MAGIC, 1, 1, ENTRY.size)
_INDEX_MOST = 256 << 20
NOTE = 'hak-recording.json'
NOTE_MOST = 1 << 20
_STREAM_ID = 'stream {'


@dataclass
class Findings:
    """missing: known not to be there. doubts: why nobody can say that all is there. repeated: streams
    that say again what others say. unrecorded: who ran and is not in it (roll.py)."""
    missing: list[Missing] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    repeated: set[Path] = field(default_factory=set)
    unrecorded: list[dict] = field(default_factory=list)


def look(found: list[Trace]) -> Findings:
    findings = Findings()
    noted = {top: _note(top / NOTE) for top in _noted(found)}
    vouched = _vouched(noted, found)
    for trace in found:
        if not trace.lttng:
            findings.doubts.append(f'{trace.path} was not written by LTTng: whether packets are '
                                   'missing is not known')
            continue
        _repeated(trace, findings)
        _absent(trace, findings)
        _torn(trace, findings)
        if trace.packetized or (trace.path / 'index').is_dir():
            _indexes(trace, findings, vouched)
        if not trace.packetized:   # but taken from memory, or changed since
            findings.doubts.append(f'{trace.path}/metadata was not written by a session daemon: '
                                   'whether packets are missing is not known')
    for top, note in noted.items():
        _by_note(top, note, found, findings)
    return findings


# ---- streams among themselves ----

def _repeated(trace: Trace, findings: Findings) -> None:
    there: dict[tuple, Path] = {}
    for stream in trace.streams:
        keys = [(packet.stream, packet.number) for packet in stream.packets]
        if other := next((there[key] for key in keys if key in there), None):
            findings.repeated.add(stream.path)
            findings.doubts.append(f'{stream.path} holds packets of {other.name} again: left out')
            continue
        there.update(dict.fromkeys(keys, stream.path))


def _absent(trace: Trace, findings: Findings) -> None:
    """Each CPU has a stream of each kind, with a packet in it at least."""
    there = {(stream.first.stream[1], stream.first.cpu): stream for stream in trace.streams
             if stream.first}
    empty = [stream for stream in trace.streams if not stream.size]
    for stream in empty if trace.packetized else ():
        findings.missing.append(Missing(stream.path.name))
    ids = {number for number, _ in there} | set(_declared(trace))
    cpus = {cpu for _, cpu in there}
    named = {stream.path.name for stream in empty}
    if not trace.shared or len(ids) * len(cpus) > 1 << 16:
        return
    for number in sorted(ids):
        for cpu in sorted(cpus):
            if (number, cpu) not in there:
                name = _name(number, cpu, there)
                if name not in named:
                    findings.missing.append(Missing(name))


def _declared(trace: Trace) -> Iterator[int]:
    """The kinds of streams that the metadata speaks of."""
    for part in trace.text.split(_STREAM_ID)[1:]:
        words = part[:200].replace(';', ' ').split()
        if words[:2] == ['id', '='] and len(words) > 2 and words[2].isascii() and words[2].isdigit():
            yield int(words[2])


def _name(number: int, cpu: int, there: dict) -> str:
    """As LTTng would call it: like its sisters of other CPUs."""
    for (other, at), stream in there.items():
        stem, _, end = stream.path.name.rpartition('_')
        if other == number and end == str(at):
            return f'{stem}_{cpu}'
    return f'stream {number} of CPU {cpu}'


def _torn(trace: Trace, findings: Findings) -> None:
    for stream in trace.damaged:
        begin = stream.torn.begin if stream.torn else stream.last.end if stream.last else 0
        findings.missing.append(Missing(stream.path.name, begin))


# ---- indexes ----

def _indexes(trace: Trace, findings: Findings, vouched: set[Path]) -> None:
    folder = trace.path / 'index'
    there = {stream.path.name: stream for stream in trace.streams}
    indexes = {path.name.removesuffix('.idx'): path for path in folder.glob('*.idx')}
    for name, path in sorted(indexes.items()):
        entries = _entries(path)
        if entries is None:
            findings.doubts.append(f'{path} is damaged: whether packets are missing is not known')
        elif name not in there:
            _drop(name, findings)
            findings.missing.append(_lacking(name, entries, 0))
        elif there[name].path not in findings.repeated:
            _against(there[name], entries, findings)
    if bare := sorted(name for name, stream in there.items()
                      if name not in indexes and stream.path not in findings.repeated
                      and stream.path.resolve() not in vouched):
        what = (f'{folder} is missing' if len(bare) == len(there) else
                f'{folder} says nothing of {", ".join(bare)}')
        findings.doubts.append(f'{what}: whether packets are missing is not known')


def _drop(name: str, findings: Findings) -> None:
    """What is said better now."""
    findings.missing = [each for each in findings.missing if each.stream != name]


def _entries(path: Path) -> Optional[list[tuple]]:
    """None: it is no index of LTTng's."""
    try:
        raw = traces.read(path, _INDEX_MOST)
    except HakError:
        return None
    if len(raw) < INDEX_HEADER.size:
        return None
    magic, major, _, size = INDEX_HEADER.unpack_from(raw)
    entries = raw[INDEX_HEADER.size:]
    if magic != _INDEX_MAGIC or major != 1 or size < ENTRY.size or len(entries) % size:
        return None
    found, at = [], 0
    for number in range(len(entries) // size):
        entry = ENTRY.unpack_from(entries, number * size)
        if entry[0] != at or entry[1] % 8 or not entry[1]:
            return None
        at += entry[1] // 8
        found.append(entry)
    return found


def _against(stream: Stream, entries: list[tuple], findings: Findings) -> None:
    for packet, entry in zip(stream.packets, entries):
        if not _same(packet, entry):
            _drop(stream.path.name, findings)
            begin = min(packet.begin, entry[3])
            findings.missing.append(Missing(stream.path.name, begin))
            findings.doubts.append(f'{stream.path}: the packet at byte {packet.at:,} is not the one '
                                   'that the index tells of')
            return
    if len(entries) > len(stream.packets):
        _drop(stream.path.name, findings)
        findings.missing.append(_lacking(stream.path.name, entries, len(stream.packets)))


def _same(packet: Packet, entry: tuple) -> bool:
    at, size, content, begin, end, discarded, stream, instance, number = entry
    return ((packet.at, packet.size, packet.content, packet.begin, packet.end, packet.discarded,
             packet.stream[1], packet.stream[2], packet.number)
            == (at, size // 8, content // 8, begin, end, discarded, stream, instance, number))


def _lacking(name: str, entries: list[tuple], there: int) -> Missing:
    lost = entries[there:]
    return Missing(name, min(entry[3] for entry in lost) if lost else 0,
                   max(entry[4] for entry in lost) if lost else 0, len(lost))


# ---- the note ----

def write_note(top: Path, trouble: list[str], program: Optional[dict] = None,
               unrecorded: Sequence[dict] = ()) -> None:
    """Says what a recording that has just ended consists of, what is known of the program, and who
    is not in it."""
    files = {}
    for path in sorted(top.rglob('*')):
        if path.is_file() and path.suffix != '.idx' and path.name != NOTE:
            told = {'size': path.stat().st_size}
            if path.name == 'metadata':
                told['sha256'] = _hash(path)
            files[path.relative_to(top).as_posix()] = told
    text = json.dumps({'version': 1, 'trouble': trouble, 'files': files, 'program': program,
                       'unrecorded': list(unrecorded)}, indent=1)
    (top / NOTE).write_text(text + '\n', encoding='utf-8')


def _hash(path: Path) -> str:
    return hashlib.sha256(traces.read(path, traces.METADATA_MOST)).hexdigest()


def _noted(found: list[Trace]) -> set[Path]:
    """The folders of recordings with a note that the traces are in."""
    return {folder for trace in found for folder in list(trace.path.resolve().parents)[:5]
            if (folder / NOTE).is_file()}


def _vouched(noted: dict[Path, Optional[dict]], found: list[Trace]) -> set[Path]:
    """Streams that end where they did when the note was written. What they lack before, the numbers
    of their packets tell."""
    sizes = {top / name: told['size'] for top, note in noted.items() if note
             for name, told in note['files'].items()}
    return {path for trace in found for stream in trace.streams
            if sizes.get(path := stream.path.resolve()) == stream.size}


def _by_note(top: Path, note: Optional[dict], found: list[Trace], findings: Findings) -> None:
    if note is None:
        findings.doubts.append(f'{top / NOTE} is damaged: whether all is there is not known')
        return
    findings.unrecorded += note['unrecorded']
    for text in note['trouble']:
        findings.doubts.append(f'the recording is incomplete: {text}')
        findings.missing.append(Missing('all streams'))
    there = {stream.path.resolve(): stream for trace in found for stream in trace.streams}
    folders = {trace.path.resolve() for trace in found}
    for name, told in note['files'].items():
        path = top / name
        if path.name == 'metadata':
            if path.parent not in folders:
                findings.missing.append(Missing(name))
            elif _hash(path) != told.get('sha256'):
                findings.doubts.append(f'{path} was changed after the recording')
        elif path.parent in folders or path.parent.name == 'index':
            size = there[path].size if path in there else -1
            known = any(each.stream == path.name for each in findings.missing)
            if size < told['size'] and not known:
                findings.missing.append(Missing(path.name))


def _note(path: Path) -> Optional[dict[str, Any]]:
    try:
        note = json.loads(traces.read(path, NOTE_MOST))
        fine = (note['version'] == 1 and all(isinstance(text, str) for text in note['trouble'])
                and all(isinstance(told['size'], int) for told in note['files'].values())
                and all(map(roll.is_one, note.setdefault('unrecorded', []))))
        return note if fine else None
    except (HakError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
