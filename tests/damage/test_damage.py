"""Damaged copies of traces, the same ones each time; `make fuzz` tries others."""

import fuzz
import pytest
from recorder import recorder

COPIES, PARTS, SEED = 200, 20, 20000


@pytest.fixture(scope='session')
def originals(tmp_path_factory):
    with recorder(tmp_path_factory.mktemp('recorder')) as record:
        return fuzz.originals(record, tmp_path_factory.mktemp('originals'))


@pytest.mark.parametrize('part', range(PARTS))
def test_no_damage_ends_hangs_or_fools_the_reader(originals, tmp_path, part):
    copies = COPIES // PARTS
    figures = fuzz.check(originals, copies, SEED + part * copies, tmp_path)
    assert figures.copies == copies
    assert not figures.failures(), figures.failures()
    # Some damage cannot be read past, most can.
    assert figures.refused < copies
