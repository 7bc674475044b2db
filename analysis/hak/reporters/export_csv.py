"""`hak export --csv`: a file a table. Texts are in quotes, numbers are not, and NULL is empty."""

from pathlib import Path
from typing import Any

from hak import output
from hak.db import Database


# What a spreadsheet would take for something to compute.
FORMULA = ('=', '+', '-', '@', '\t', '\r')


def write(db: Database, folder: Path) -> int:
    """Returns how many rows there are."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for name in db.tables():
        rows = db.table(name)
        with output.opened(folder / f'{name}.csv') as file:
            file.write(','.join(column[0] for column in rows.description) + '\n')
            for row in rows:
                file.write(','.join(map(_field, row)) + '\n')
                count += 1
    return count


def _field(value: Any) -> str:
    if value is None:
        return ''
    if isinstance(value, str):
        if value.startswith(FORMULA):   # a process may be called so
            value = f"'{value}"
        return '"' + value.replace('"', '""') + '"'
    return str(value)
