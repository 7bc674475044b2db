"""Prints the matrix of what was found."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from runs import Runner  # noqa: E402


@pytest.fixture
def run(tmp_path) -> Runner:
    return Runner(tmp_path)


# ---- the matrix ----

ROWS: list = []
TITLES = ('program', 'plain', 'hakmem', 'untold')
NOTE = '''plain: findings on the C library's malloc. hakmem: those on hakmem under `hak memcheck`.
untold: how many of them without client requests, and +n that are false.
Compared are kind, text, sizes, offsets and stacks down to main. Not compared: addresses; what lies
more than 24 bytes from every block, which memcheck describes by its own heap; which of memalign,
aligned_alloc, posix_memalign and valloc Valgrind's version calls by the name of another.'''


def pytest_runtest_logreport(report) -> None:
    properties = dict(report.user_properties)
    if report.when == 'call' and 'row' in properties:
        ROWS.append(properties['row'])


def pytest_terminal_summary(terminalreporter) -> None:
    if not ROWS:
        return
    rows = sorted(ROWS)
    widths = [max(len(row[n]) for row in [TITLES, *rows]) for n in range(len(TITLES))]
    terminalreporter.section('memcheck: the matrix')
    for row in [TITLES, *rows]:
        terminalreporter.write_line('  '.join(
            text.ljust(width) for text, width in zip(row, widths)).rstrip())
    same = sum(row[2].startswith('same') for row in rows)
    asked = [row for row in rows if row[3] != '-']
    untold = sum(row[3] == row[1] for row in asked)
    terminalreporter.write_line(f'{len(rows)} rows: {same} the same on hakmem; '
                                f'{untold} of {len(asked)} without client requests')
    terminalreporter.write_line(NOTE)
