"""Memcheck finds with our malloc what it finds with the C library's, in the same words."""

from collections import Counter

import pytest
from conftest import BUILT, HAKMEM, PLAIN, UNTOLD, UNTOLD_VALGRIND
from rows import all_rows

OPTIONS = ('--leak-check=full', '--show-leak-kinds=all', '--track-origins=yes')


def listed(title: str, counted: Counter) -> str:
    return '\n'.join([title, *(str(finding) for finding in counted.elements())])


@pytest.mark.parametrize('row', all_rows(), ids=str)
def test_findings_are_the_same(run, record_property, row):
    argv = [BUILT / row.program, *row.arguments]
    plain = run(PLAIN, argv, *OPTIONS)
    ours = run(HAKMEM, argv, *OPTIONS)
    untold = run(UNTOLD_VALGRIND, argv, *OPTIONS, env={'LD_PRELOAD': str(UNTOLD)})
    found, false = plain.findings & untold.findings, untold.findings - plain.findings
    same = plain.findings == ours.findings
    record_property('row', (str(row), str(plain.findings.total()), 'same' if same else 'DIFFERENT',
                            str(found.total()) + (f' +{false.total()}' if false else '')))
    assert same, '\n'.join([listed('missed:', plain.findings - ours.findings),
                            listed('false:', ours.findings - plain.findings), ours.err])
    # A program that has a bug is not in the corpus for nothing, and one that has none is clean.
    assert row.program in SILENT or bool(plain.findings) != row.program.startswith('clean_')
    if plain.code == 0:
        errors = [f for f in plain.findings
                  if f.kind not in ('Leak_StillReachable', 'Leak_IndirectlyLost')]
        assert ours.code == (1 if errors and not row.program.endswith('_child') else 0)


# Wrong, but not what memcheck looks for.
SILENT = {'usable_size_of_freed', 'freed_by_realloc_to_zero'}
