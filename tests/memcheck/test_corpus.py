"""Memcheck finds with our malloc what it finds with the C library's, in the same words."""

from collections import Counter

import pytest
from rows import all_rows
from runs import BUILT, HAKMEM, PLAIN, UNTOLD, UNTOLD_VALGRIND

ROWS = all_rows()
# Without client requests one size of each program is enough to see what they are for.
FIRST = {row.program: row for row in reversed(ROWS)}
# Wrong, but not what memcheck looks for: realloc(p, 0) frees, and since glibc 2.14 Valgrind's memcpy
# is a memmove.
SILENT = {'overlap_memcpy', 'usable_size_of_freed', 'freed_by_realloc_to_zero'}
TRIES = 3
OPTIONS = ('--leak-check=full', '--show-leak-kinds=all', '--track-origins=yes')


def untold_column(run, row, argv, plain: Counter) -> str:
    if FIRST[row.program] != row:
        return '-'
    untold = run(UNTOLD_VALGRIND, argv, *OPTIONS, env={'LD_PRELOAD': str(UNTOLD)}).findings
    found, false = (plain & untold).total(), (untold - plain).total()
    return f'{found} +{false}' if false else str(found)


def listed(title: str, counted: Counter) -> str:
    return '\n'.join([title, *(str(finding) for finding in counted.elements())])


@pytest.mark.parametrize('row', ROWS, ids=str)
def test_findings_are_the_same(run, record_property, row):
    argv = [BUILT / row.program, *row.arguments]
    # The leak search is conservative: by chance a word that means something else lies in a block's
    # range, on either malloc. What really differs differs every time.
    for _ in range(TRIES):
        plain = run(PLAIN, argv, *OPTIONS)
        ours = run(HAKMEM, argv, *OPTIONS)
        same = plain.findings == ours.findings
        if same:
            break
    untold = untold_column(run, row, argv, plain.findings)
    record_property('row', (str(row), str(plain.findings.total()), 'same' if same else 'DIFFERENT',
                            untold))
    assert same, '\n'.join([listed('missed:', plain.findings - ours.findings),
                            listed('false:', ours.findings - plain.findings), ours.err])
    # A program that has a bug is not in the corpus for nothing, and one that has none is clean.
    assert row.program in SILENT or bool(plain.findings) != row.program.startswith('clean_')
    if plain.code == 0:
        errors = [f for f in plain.findings
                  if f.kind not in ('Leak_StillReachable', 'Leak_IndirectlyLost')]
        assert ours.code == (1 if errors and not row.program.endswith('_child') else 0)
