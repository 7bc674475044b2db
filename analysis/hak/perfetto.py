"""Writes traces for Perfetto: the few messages of its protobuf format that we need.

Field numbers are those of perfetto.protos.Trace. A writer keeps no more than the names it has
interned, so the trace may be longer than memory.
"""

from typing import BinaryIO, Optional

_SEQUENCE = 1
_CLEARED, _NEEDED = 1, 2                       # sequence_flags: incremental state
_SLICE_BEGIN, _SLICE_END, _INSTANT, _COUNTER = 1, 2, 3, 4
_REALTIME, _BOOTTIME = 1, 6                    # builtin clocks
_EXPLICIT = 3                                  # child_ordering
UNITS = {'count': 2, 'bytes': 3}


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _int(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode('utf-8', 'replace'))


class Writer:
    """Tracks are made with a parent, then filled in any order; times are nanoseconds since the
    epoch."""

    def __init__(self, out: BinaryIO, begin: int):
        self._out = out
        self.begin = begin
        self._tracks = 0
        self._names: dict = {}      # names of events, and of their arguments: text -> number
        self._arguments: dict = {}
        self.counts = {'tracks': 0, 'slices': 0, 'instants': 0, 'counters': 0}
        # Both clocks are one: what the viewer takes for time since boot is the time of day.
        clocks = b''.join(_bytes(1, _int(1, clock) + _int(2, begin))
                          for clock in (_REALTIME, _BOOTTIME))
        self._packet(_bytes(6, clocks) + _int(13, _CLEARED))

    def process(self, pid: int, name: str) -> int:
        return self._track(_bytes(3, _int(1, pid) + _text(6, name)))

    def track(self, name: str, parent: Optional[int] = None) -> int:
        return self._track(_text(2, name) + (_int(5, parent) if parent else b''))

    def counter(self, name: str, parent: int, unit: str) -> int:
        return self._track(_text(2, name) + _int(5, parent) + _bytes(8, _int(3, UNITS[unit])))

    def slice(self, track: int, begin: int, end: int, name: str, **facts) -> None:
        """Slices of one track must not overlap, and come in the order of their begin."""
        self._event(_SLICE_BEGIN, track, begin, name, facts)
        self._event(_SLICE_END, track, end, None, {})
        self.counts['slices'] += 1

    def instant(self, track: int, time: int, name: str, **facts) -> None:
        self._event(_INSTANT, track, time, name, facts)
        self.counts['instants'] += 1

    def count(self, track: int, time: int, value: int) -> None:
        self._packet(_int(8, time) + _int(13, _NEEDED)
                     + _bytes(11, _int(9, _COUNTER) + _int(11, track) + _int(30, value)))
        self.counts['counters'] += 1

    def _track(self, fields: bytes) -> int:
        self._tracks += 1
        order = _int(11, _EXPLICIT) + _int(12, self._tracks)   # shown as they were made
        self._packet(_bytes(60, _int(1, self._tracks) + fields + order) + _int(13, _NEEDED))
        self.counts['tracks'] += 1
        return self._tracks

    def _event(self, kind: int, track: int, time: int, name: Optional[str], facts: dict) -> None:
        """A fact that is None is left out."""
        fresh, event = b'', _int(9, kind) + _int(11, track)
        if name is not None:
            number, new = self._interned(self._names, 2, name)
            fresh, event = fresh + new, event + _int(10, number)
        for key, value in facts.items():
            if value is None:
                continue
            number, new = self._interned(self._arguments, 3, key)
            fresh += new
            event += _bytes(4, _int(1, number) + (
                _text(6, value) if isinstance(value, str) else _int(4, value)))
        self._packet(_int(8, time) + _int(13, _NEEDED)
                     + (_bytes(12, fresh) if fresh else b'') + _bytes(11, event))

    @staticmethod
    def _interned(table: dict, field: int, text: str) -> tuple[int, bytes]:
        """Its number, and what has to be said of it if this is its first use."""
        number = table.get(text)
        if number is not None:
            return number, b''
        number = table[text] = len(table) + 1
        return number, _bytes(field, _int(1, number) + _text(2, text))

    def _packet(self, fields: bytes) -> None:
        self._out.write(_bytes(1, fields + _int(10, _SEQUENCE)))
