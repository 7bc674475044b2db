"""Columns of numbers as a page takes them: byte planes, deflated, as text.

Bytes of the same weight lie together, since they resemble each other: that halves what deflate
leaves of times.
"""

import base64
import gzip
from array import array

WIDE, NARROW = 'I', 'B'
# In a wide column: the value is in the column's list of large ones.
ESCAPE = 0xffffffff


class Column:
    """Numbers of 32 or 8 bits; larger ones in a wide column are kept aside."""

    def __init__(self, kind: str = WIDE):
        self.values = array(kind)
        self.large: list[int] = []

    def put(self, value: int) -> None:
        if value < ESCAPE:
            self.values.append(value)
        else:
            self.values.append(ESCAPE)
            self.large.append(value)

    def planes(self) -> bytes:
        width, raw = self.values.itemsize, self.values.tobytes()
        return b''.join(raw[byte::width] for byte in range(width))


def pack(columns: dict[str, Column]) -> dict:
    """For JSON: what unpack() of dashboards/report/data.js reads."""
    raw = b''.join(column.planes() for column in columns.values())
    return {'columns': [{'name': name, 'count': len(column.values),
                         'bytes': column.values.itemsize, 'large': column.large}
                        for name, column in columns.items()],
            'gzip': base64.b64encode(gzip.compress(raw, 6, mtime=0)).decode()}
