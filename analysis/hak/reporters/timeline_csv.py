"""`hak timeline --csv`."""

import csv
from dataclasses import fields
from typing import TextIO

from hak.chronicle import Life

COLUMNS = [column.name for column in fields(Life)]


def write(source, lives, frame, out: TextIO) -> None:
    """Owners in the order in which they had the slab, with blanks between; 0: published."""
    writer = csv.writer(out, lineterminator='\n')
    writer.writerow(COLUMNS)
    for life in lives:
        row = [getattr(life, name) for name in COLUMNS[:-1]]
        writer.writerow([int(value) if isinstance(value, bool) else value for value in row]
                        + [' '.join(str(spell.owner) for spell in life.spells)])
