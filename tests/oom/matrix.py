"""What is printed at last: the confusion matrix (for each scenario and each way of recording it, the
first verdict) and the remedies that were applied.

Every test notes its rows in files of its own, since tests run in several processes.
"""

import json
import os
from pathlib import Path

FOLDER = 'HAK_TEST_MATRIX'
WAYS = ('session', 'killed', 'trigger', 'dump', 'memory', 'late')


def note(scenario: str, order: int, row: dict[str, str], wrong: dict[str, str]) -> None:
    """`row`: way -> the first verdict; `wrong`: way -> why it is not what it must be."""
    _write(f'verdicts-{order:03d}', {'name': scenario, 'row': row, 'wrong': sorted(wrong)})


def note_remedy(scenario: str, order: int, number: int, text: str, ended: bool) -> None:
    _write(f'remedy-{order:03d}-{number}', {'name': scenario, 'text': text, 'ended': ended})


def _write(name: str, what: dict) -> None:
    (Path(os.environ[FOLDER]) / name).write_text(json.dumps(what))


def _read(kind: str) -> list[dict]:
    return [json.loads(path.read_text())
            for path in sorted(Path(os.environ[FOLDER]).glob(f'{kind}-*'))]


def lines(whole: bool) -> list[str]:
    """Short: what is wrong, and how much is right."""
    return [*_verdicts(_read('verdicts'), whole), *_remedies(_read('remedy'), whole)]


def _verdicts(rows: list[dict], whole: bool) -> list[str]:
    if not rows:
        return []
    told = rows if whole else [row for row in rows if row['wrong']]
    right = sum(way not in row['wrong'] for row in rows for way in row['row'])
    total = sum(len(row['row']) for row in rows)
    cells = [['scenario', *WAYS]]
    cells += [[row['name'], *(_cell(row, way) for way in WAYS)] for row in told]
    return ['', 'first verdict of each scenario, by the way it was recorded '
            '(-: no cause; !: wrong)', *(_table(cells) if told else []),
            f'{right} of {total} verdicts of {len(rows)} scenarios are right']


def _remedies(rows: list[dict], whole: bool) -> list[str]:
    if not rows:
        return []
    told = [row for row in rows if whole or not row['ended']]
    cells = [[row['name'], 'ended it' if row['ended'] else 'did not end it', row['text']]
             for row in told]
    return ['', 'remedies, applied as printed', *(_table(cells) if told else []),
            f'{sum(row["ended"] for row in rows)} of {len(rows)} remedies ended the failure']


def _table(cells: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*cells)]
    return ['  '.join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
            for line in cells]


def _cell(row: dict, way: str) -> str:
    return row['row'].get(way, '') + (' !' if way in row['wrong'] else '')
