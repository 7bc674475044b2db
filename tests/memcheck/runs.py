"""Runs programs under Valgrind on the C library's malloc, on ours as its users do, and on ours with
nothing told to Valgrind."""

import os
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import findings

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
HAK = ROOT / 'scripts/hak'
UNTOLD = ROOT / 'build/release/libhakmem.so'
BUILT = ROOT / 'build/tests/memcheck'
# The program's own, as a person would see it, without the knobs of whoever runs the tests.
ENVIRONMENT = {**{name: value for name, value in os.environ.items()
                  if not name.startswith('HAKMEM_') and name != 'LD_PRELOAD'},
               'HAKMEM_TRACE': '0'}
PLAIN = ['valgrind']
HAKMEM = [str(HAK), 'memcheck']
UNTOLD_VALGRIND = ['valgrind', '--soname-synonyms=somalloc=nouserintercepts']
SECONDS = 300    # then it hangs


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
        # `hak memcheck` sets one variable, and some programs keep a copy of each.
        one_more = {} if valgrind is HAKMEM else {'HAK_MEMCHECK': '0'}
        done = subprocess.run([*valgrind, *words, *options, *separator, *map(str, argv)],
                              env={**ENVIRONMENT, **one_more, **(env or {})}, capture_output=True, text=True,
                              errors='replace', timeout=seconds, stdin=subprocess.DEVNULL,
                              check=False)
        found = Counter(finding for file in sorted(place.glob('*.xml'))
                        for finding in findings.read(file))
        return Ran(done.returncode, found, done.stdout, done.stderr)
