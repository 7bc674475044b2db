"""`hak export --ndjson`: an object a row, with the name of its table; NULL is left out."""

from typing import TextIO

from hak import ui
from hak.db import Database


def write(db: Database, out: TextIO) -> int:
    """Returns how many rows there are."""
    count = 0
    for name in db.tables():
        for row in db.table(name):
            facts = {key: row[key] for key in row.keys() if row[key] is not None}
            out.write(ui.json_text({'table': name, **facts}, separators=(',', ':')) + '\n')
            count += 1
    return count
