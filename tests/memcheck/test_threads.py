"""Helgrind and DRD find the program's races and lock orders, and nothing of the allocator's."""

from collections import Counter

import pytest
from runs import BUILT, HAKMEM, PLAIN, ROOT

PROGRAMS = sorted(path.stem for path in (ROOT / 'tests/memcheck/threads').glob('*.c'))


def places(findings: Counter) -> set:
    """What was found where in the program. How often depends on how the threads took turns."""
    return {(finding.kind, next((frame for frame in stack if frame.endswith(')')
                                 and '(' + program(finding) in frame), ''))
            for finding in findings for stack in finding.stacks[:1]}


def program(finding) -> str:
    frames = [frame for stack in finding.stacks for frame in stack]
    return next((name for name in (f'{stem}.c' for stem in PROGRAMS)
                 if any(name in frame for frame in frames)), '?')


@pytest.mark.parametrize('tool', ['helgrind', 'drd'])
@pytest.mark.parametrize('name', PROGRAMS)
def test_races_are_the_programs(run, name, tool):
    argv = [BUILT / 'threads' / name]
    plain = run(PLAIN, argv, f'--tool={tool}')
    ours = run(HAKMEM, argv, f'--tool={tool}')
    told = '\n'.join(map(str, ours.findings)) + ours.err
    assert places(ours.findings) == places(plain.findings), told
    assert bool(plain.findings) == (not name.startswith('clean_') and (name, tool) not in UNSEEN)


# DRD knows nothing of lock order.
UNSEEN = {('lock_order', 'drd')}
