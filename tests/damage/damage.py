"""Damages a trace by its structure: streams, packets, headers, indexes, metadata, what lies beside.

Each kind of damage is a function of a Damager that changes the trace in its folder; which ones, and
how, follows from the seed alone.
"""

import json
import os
import random
import re
import shutil
import struct
from pathlib import Path
from typing import Callable

from hak.completeness import NOTE
from hak.traces import HEADER, METADATA_HEADER

# The fields of a packet's header and of an index's entry: offset and bytes.
FIELDS = {'magic': (0, 4), 'uuid': (4, 8), 'stream id': (20, 4), 'instance': (24, 8),
          'begin': (32, 8), 'end': (40, 8), 'content': (48, 8), 'size': (56, 8), 'number': (64, 8),
          'discarded': (72, 8), 'cpu': (80, 4)}
INDEX_HEADER, INDEX_ENTRY = 16, 72
EXTREME = (0, 1, 7, 8, 84 * 8, 1 << 31, (1 << 32) - 1, 1 << 62, 1 << 63, (1 << 64) - 1)
TYPES = ('uint8_t', 'uint16_t', 'uint32_t', 'uint64_t', 'unsigned long', 'uint5_t')
SIZES = ('0', '1', '7', '8', '27', '32', '63', '64', '65', '4294967295', '18446744073709551615')

KINDS: list[Callable] = []


def kind(function: Callable) -> Callable:
    KINDS.append(function)
    return function


def _is_whole(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


class Damager:
    def __init__(self, trace: Path, seed: int):
        self.random = random.Random(seed)
        self.top = trace
        self.folder = next(trace.rglob('metadata')).parent
        self.done: list[str] = []

    def damage(self) -> str:
        """What was done, in words."""
        for _ in range(self.random.choice((1, 1, 1, 1, 2, 3))):
            function = self.random.choice(KINDS)
            try:
                self.done.append(f'{function.__name__} {function(self) or ""}'.strip())
            except (OSError, IndexError, StopIteration):
                pass   # what it would damage is gone already
        return ', '.join(self.done) or 'nothing'

    def streams(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir()
                      if path.name != 'metadata' and _is_whole(path))

    def stream(self) -> Path:
        return self.random.choice(self.streams())

    def index(self) -> Path:
        return self.random.choice(sorted(filter(_is_whole, (self.folder / 'index').iterdir())))

    def metadata(self) -> Path:
        """What is no file any more is not to be read by us either."""
        path = self.folder / 'metadata'
        return self.random.choice([path] if _is_whole(path) else [])

    def number(self, before: int = 0) -> int:
        near = (before + 1, before - 1, before + 8, before * 2, before // 2,
                before + self.random.randrange(1 << 20))
        return self.random.choice((*EXTREME, *near)) % (1 << 64)

    def packets(self, path: Path) -> list[tuple[int, int]]:
        """Where they begin and end."""
        data, at, found = path.read_bytes(), 0, []
        while at + HEADER.size <= len(data):
            size = HEADER.unpack_from(data, at)[7] // 8
            if size < HEADER.size or at + size > len(data):
                break
            found.append((at, at + size))
            at += size
        return found


# ---- whole streams ----

@kind
def stream_removed(d: Damager) -> str:
    path = d.stream()
    path.unlink()
    if d.random.random() < 0.5:
        (d.folder / 'index' / f'{path.name}.idx').unlink()
        return f'{path.name} and its index'
    return path.name


@kind
def stream_cut(d: Damager) -> str:
    path = d.stream()
    os.truncate(path, d.random.randrange(path.stat().st_size))
    return path.name


@kind
def stream_cut_between_packets(d: Damager) -> str:
    path = d.stream()
    os.truncate(path, d.random.choice(d.packets(path))[0])
    if d.random.random() < 0.3:
        (d.folder / 'index' / f'{path.name}.idx').unlink()
        return f'{path.name} without index'
    return path.name


@kind
def stream_emptied(d: Damager) -> str:
    path = d.stream()
    os.truncate(path, 0)
    return path.name


@kind
def stream_twice(d: Damager) -> None:
    path = d.stream()
    shutil.copy(path, path.with_name(d.random.choice(('zz_0', 'aa_9', f'{path.name}_1'))))


@kind
def streams_swapped(d: Damager) -> None:
    one, two = d.stream(), d.stream()
    one.rename(one.with_name('.swap'))
    if two.exists():
        two.rename(one)
    one.with_name('.swap').rename(two)


@kind
def stream_of_another_kind(d: Damager) -> str:
    path = d.stream()
    path.unlink()
    what = d.random.choice(('fifo', 'folder', '/dev/zero', '/dev/null', 'nowhere', path.name,
                            '/etc/passwd'))
    if what == 'fifo':
        os.mkfifo(path)
    elif what == 'folder':
        path.mkdir()
    else:
        path.symlink_to(what)
    return f'{path.name}: {what}'


@kind
def stream_with_more_behind(d: Damager) -> None:
    with open(d.stream(), 'ab') as file:
        file.write(d.random.choice((bytes(4096), d.random.randbytes(5000),
                                    d.stream().read_bytes()[:70000])))


@kind
def stream_renamed(d: Damager) -> None:
    path = d.stream()
    path.rename(path.with_name(d.random.choice(('x', '.hidden', 'ütf', 'a b', 'x' * 250))))


# ---- packets ----

def _changed(d: Damager, change: Callable[[list[bytes]], None]) -> str:
    path = d.stream()
    data = path.read_bytes()
    parts = [data[begin:end] for begin, end in d.packets(path)]
    change(parts)
    path.write_bytes(b''.join(parts))
    return path.name


@kind
def packet_taken_out(d: Damager) -> str:
    return _changed(d, lambda parts: parts.pop(d.random.randrange(len(parts))))


@kind
def packet_twice(d: Damager) -> str:
    return _changed(d, lambda parts: parts.append(d.random.choice(parts)))


@kind
def packets_in_another_order(d: Damager) -> str:
    return _changed(d, d.random.shuffle)


@kind
def header_field(d: Damager) -> str:
    path, name = d.stream(), d.random.choice(sorted(FIELDS))
    offset, size = FIELDS[name]
    at = d.random.choice(d.packets(path))[0] + offset
    with open(path, 'r+b') as file:
        file.seek(at)
        value = d.number(int.from_bytes(file.read(size), 'little'))
        file.seek(at)
        file.write((value % (1 << 8 * size)).to_bytes(size, 'little'))
    return f'{name} = {value} in {path.name}'


@kind
def bytes_of_events(d: Damager) -> str:
    path = d.stream()
    begin, end = d.random.choice(d.packets(path))
    at = d.random.randrange(begin + HEADER.size, end)
    what = d.random.choice((b'\xff' * 8, bytes(8), d.random.randbytes(1), d.random.randbytes(400),
                            b'\xff' * 4000, bytes(4000)))
    with open(path, 'r+b') as file:
        file.seek(at)
        file.write(what[:end - at])
    return f'{len(what)} at {at} of {path.name}'


@kind
def events_moved(d: Damager) -> str:
    path = d.stream()
    begin, end = d.random.choice(d.packets(path))
    data = bytearray(path.read_bytes())
    at = d.random.randrange(begin + HEADER.size, end)
    by = d.random.choice((1, 2, 4, 8))
    data[at:end] = (data[at + by:end] + bytes(by)) if d.random.random() < 0.5 else (
        bytes(by) + data[at:end - by])
    path.write_bytes(data)
    return path.name


# ---- indexes ----

@kind
def index_removed(d: Damager) -> None:
    d.index().unlink()


@kind
def indexes_removed(d: Damager) -> None:
    shutil.rmtree(d.folder / 'index')


@kind
def index_cut(d: Damager) -> None:
    path = d.index()
    os.truncate(path, d.random.randrange(path.stat().st_size))


@kind
def index_field(d: Damager) -> str:
    path = d.index()
    data = bytearray(path.read_bytes())
    at = d.random.choice((d.random.randrange(0, INDEX_HEADER, 4),
                          *(INDEX_HEADER + d.random.randrange(0, len(data) - INDEX_HEADER, 8),) * 4))
    size = 4 if at < INDEX_HEADER else 8
    value = d.number(int.from_bytes(data[at:at + size], 'big')) % (1 << 8 * size)
    data[at:at + size] = value.to_bytes(size, 'big')
    path.write_bytes(data)
    return f'{at} = {value} in {path.name}'


@kind
def index_of_another(d: Damager) -> None:
    shutil.copy(d.index(), d.index().with_name(f'{d.stream().name}.idx'))


@kind
def index_of_another_kind(d: Damager) -> None:
    path = d.index()
    path.unlink()
    os.mkfifo(path) if d.random.random() < 0.5 else path.mkdir()


# ---- metadata ----

def text_of(raw: bytes) -> str:
    at, parts = 0, []
    while at < len(raw):
        _, _, _, content, packet, _ = METADATA_HEADER.unpack_from(raw, at)
        parts.append(raw[at + METADATA_HEADER.size:at + content // 8])
        at += packet // 8
    return b''.join(parts).decode('utf-8', 'surrogateescape')


def packed(text: str, like: bytes) -> bytes:
    """As LTTng packs it, in one packet."""
    raw = text.encode('utf-8', 'surrogateescape')
    magic, uuid, check, _, _, rest = METADATA_HEADER.unpack_from(like)
    bits = (METADATA_HEADER.size + len(raw)) * 8
    return METADATA_HEADER.pack(magic, uuid, check, bits, bits, rest) + raw


def _one(d: Damager, text: str, pattern: str, replacement) -> str:
    """One of the places that match is replaced."""
    found = list(re.finditer(pattern, text))
    if not found:
        return text
    match = d.random.choice(found)
    new = replacement(match) if callable(replacement) else match.expand(replacement)
    return text[:match.start()] + new + text[match.end():]


TEXT: dict[str, Callable[[Damager, str], str]] = {
    'a field has another name': lambda d, t: _one(d, t, r'(\s_?)(\w+)(;\n)', r'\1renamed\3'),
    'two fields of a name': lambda d, t: _one(d, t, r'\n\s*[\w ]+ _(\w+);', lambda m: m[0] * 2),
    'a field less': lambda d, t: _one(d, t, r'\n\s*[\w ]+ _(\w+);', ''),
    'a line less': lambda d, t: _one(d, t, r'\n[^\n]*', ''),
    'a line twice': lambda d, t: _one(d, t, r'\n[^\n]*', lambda m: m[0] * 2),
    'another type': lambda d, t: _one(d, t, r'\b(uint\d+_t|unsigned long)\b',
                                      lambda m: d.random.choice(TYPES)),
    'another size': lambda d, t: _one(d, t, r'size = \d+',
                                      lambda m: f'size = {d.random.choice(SIZES)}'),
    'another alignment': lambda d, t: _one(d, t, r'align = \d+',
                                           lambda m: f'align = {d.random.choice(SIZES)}'),
    'another sign': lambda d, t: _one(d, t, r'signed = \w+', lambda m: 'signed = ' + (
        'true' if '0' in m[0] or 'false' in m[0] else 'false')),
    'another byte order': lambda d, t: _one(d, t, r'byte_order = \w+', 'byte_order = be'),
    'another length': lambda d, t: _one(d, t, r'\[\d+\]',
                                        lambda m: f'[{d.random.choice(SIZES)}]'),
    'an array': lambda d, t: _one(d, t, r'(\s_\w+);', lambda m: f'{m[1]}[{d.random.choice(SIZES)}];'),
    'a text for a number': lambda d, t: _one(d, t, r'integer \{[^}]*\} _', 'string _'),
    'a number for a text': lambda d, t: _one(d, t, r'string (_\w+)', r'uint32_t \1'),
    'a label less': lambda d, t: _one(d, t, r'"[A-Z_0-9]+" = \d+,?', ''),
    'a label of another value': lambda d, t: _one(d, t, r'("[A-Z_0-9]+" = )\d+',
                                                  lambda m: f'{m[1]}{d.random.randrange(99)}'),
    'two labels of a value': lambda d, t: _one(d, t, r'("[A-Z_0-9]+") = (\d+)', r'\1 = 0 ... \2'),
    'an event of another name': lambda d, t: _one(d, t, r'name = "hakmem:\w+"',
                                                  'name = "hakmem:of_tomorrow"'),
    'an event of another program': lambda d, t: _one(d, t, r'name = "hakmem:', 'name = "other:'),
    'an event of another id': lambda d, t: _one(d, t, r'\bid = \d+', lambda m: f'id = {d.random.randrange(40)}'),
    'another clock': lambda d, t: _one(d, t, r'(freq|offset) = \d+',
                                       lambda m: f'{m[1]} = {d.number()}'),
    'no clock': lambda d, t: t.replace('map = clock.monotonic.value;', ''),
    'another UUID': lambda d, t: _one(d, t, r'uuid = "..', 'uuid = "00'),
    'a brace less': lambda d, t: _one(d, t, r'[{}]', ''),
    'deep': lambda d, t: t.replace('fields := struct {', 'fields := struct {' + 'struct {' * 3000, 1),
    'a long name': lambda d, t: _one(d, t, r'(\s_\w+);', lambda m: f'{m[1]}{"x" * 100000};'),
    'escapes': lambda d, t: _one(d, t, r'= "[^"]*"', '= "\\\\033[31m\x1b]0;x\x07\\\\x9b"'),
    'buffers of processes': lambda d, t: t.replace('scheme = "uid"', 'scheme = "pid"'),
    'cut': lambda d, t: t[:d.random.randrange(len(t))],
    'bytes': lambda d, t: (lambda at: t[:at] + d.random.choice('\0"\\{};=\x80') + t[at + 1:])(
        d.random.randrange(len(t))),
}


@kind
def metadata_text(d: Damager) -> str:
    path = d.metadata()
    raw = path.read_bytes()
    name = d.random.choice(sorted(TEXT))
    try:
        text = TEXT[name](d, text_of(raw))
    except struct.error:
        return 'plain already'
    path.write_bytes(packed(text, raw) if d.random.random() < 0.8 else text.encode('utf-8', 'surrogateescape'))
    return f'"{name}"'


metadata_text_again = kind(lambda d: metadata_text(d))
metadata_text_again.__name__ = 'metadata_text'
metadata_text_thrice = kind(lambda d: metadata_text(d))
metadata_text_thrice.__name__ = 'metadata_text'


@kind
def metadata_packets(d: Damager) -> None:
    path = d.metadata()
    data = bytearray(path.read_bytes())
    at = d.random.randrange(METADATA_HEADER.size)
    data[at] = d.random.randrange(256)
    path.write_bytes(data[:d.random.choice((len(data), len(data), d.random.randrange(len(data))))])


@kind
def metadata_of_another_kind(d: Damager) -> None:
    path = d.metadata()
    path.unlink()
    what = d.random.choice(('fifo', 'folder', '/dev/zero', '/dev/null', 'metadata'))
    os.mkfifo(path) if what == 'fifo' else path.mkdir() if what == 'folder' else path.symlink_to(what)


# ---- what lies beside ----

@kind
def note(d: Damager) -> str:
    path = d.top / NOTE
    what = d.random.choice(('text', 'deep', 'other', 'fifo', 'trouble', 'more'))
    path.unlink(missing_ok=True)
    if what == 'fifo':
        os.mkfifo(path)
    else:
        path.write_text({
            'text': '{"version', 'deep': '[' * 100000, 'other': '{"version": 1, "files": 5}',
            'trouble': json.dumps({'version': 1, 'trouble': ['\x1b[2J ended'], 'files': {}}),
            'more': json.dumps({'version': 1, 'trouble': [], 'files': {
                f'{d.folder.relative_to(d.top)}/gone_0': {'size': 5}, '../../x': {'size': 1}}}),
        }[what])
    return what


@kind
def another_trace_within(d: Damager) -> None:
    shutil.copytree(d.folder, d.top / 'copy' / 'of', symlinks=True)
