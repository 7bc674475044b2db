"""Runs programs under Valgrind on the C library's malloc, on ours as its users do, and on ours with
nothing told to Valgrind; prints the matrix of what was found."""

import importlib.util
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

import findings  # noqa: E402

HAK = ROOT / 'scripts/hak'
OURS = ROOT / 'build/trace/libhakmem.so'
UNTOLD = ROOT / 'build/release/libhakmem.so'
BUILT = ROOT / 'build/tests/memcheck'
# The program's own, as a person would see it, without the knobs of whoever runs the tests.
ENVIRONMENT = {**{name: value for name, value in os.environ.items()
                  if not name.startswith('HAKMEM_') and name != 'LD_PRELOAD'},
               'HAKMEM_TRACE': '0'}
PLAIN = ['valgrind']
HAKMEM = [str(HAK), 'memcheck']
UNTOLD_VALGRIND = ['valgrind', '--soname-synonyms=somalloc=nouserintercepts']
SECONDS = 100


@dataclass
class Ran:
    code: int
    findings: Counter
    out: str
    err: str


class Runner:
    def __init__(self, directory: Path):
        self.directory = directory
        self.count = 0

    def __call__(self, valgrind: list, argv: list, *options: str, env: Optional[dict] = None,
                 xml: bool = True, seconds: int = SECONDS) -> Ran:
        """Runs argv; its findings are those of the program and of what it forks."""
        self.count += 1
        place = self.directory / str(self.count)
        place.mkdir()
        words = ['-q', '--xml=yes', f'--xml-file={place}/%p.xml'] if xml else []
        separator = ['--'] if valgrind is HAKMEM else []
        done = subprocess.run([*valgrind, *words, *options, *separator, *map(str, argv)],
                              env={**ENVIRONMENT, **(env or {})}, capture_output=True, text=True,
                              errors='replace', timeout=seconds, stdin=subprocess.DEVNULL,
                              check=False)
        found = Counter(finding for file in sorted(place.glob('*.xml'))
                        for finding in findings.read(file))
        return Ran(done.returncode, found, done.stdout, done.stderr)


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
