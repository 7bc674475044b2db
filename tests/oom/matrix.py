"""The confusion matrix: for each scenario and each way of recording it, the first verdict.

Every test notes its row in a file of its own, since tests run in several processes.
"""

import json
import os
from pathlib import Path

FOLDER = 'HAK_TEST_MATRIX'
WAYS = ('session', 'snapshot', 'memory', 'late')


def note(scenario: str, order: int, row: dict[str, str], wrong: dict[str, str]) -> None:
    """`row`: way -> the first verdict; `wrong`: way -> why it is not what it must be."""
    path = Path(os.environ[FOLDER]) / f'{order:03d}-{scenario}'
    path.write_text(json.dumps({'name': scenario, 'row': row, 'wrong': sorted(wrong)}))


def lines() -> list[str]:
    rows = [json.loads(path.read_text()) for path in sorted(Path(os.environ[FOLDER]).iterdir())]
    if not rows:
        return []
    cells = [['scenario', *WAYS]]
    cells += [[row['name'], *(_cell(row, way) for way in WAYS)] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    told = ['  '.join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
            for line in cells]
    right = sum(way in row['row'] and way not in row['wrong'] for row in rows for way in WAYS)
    total = sum(way in row['row'] for row in rows for way in WAYS)
    return ['', 'first verdict of each scenario, by the way it was recorded '
            '(-: no cause; !: wrong)', *told,
            f'{right} of {total} verdicts are right']


def _cell(row: dict, way: str) -> str:
    return row['row'].get(way, '') + (' !' if way in row['wrong'] else '')
