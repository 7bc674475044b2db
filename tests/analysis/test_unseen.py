"""An address space that was nearly full at the end is no failure by itself."""

import pytest
from hak.fate import Fate
from hak.oom.unseen import GUESS, LIKELY, likelihood


@pytest.mark.parametrize('code, sure', [(0, 0), (1, LIKELY), (-6, LIKELY), (134, LIKELY), (-9, 0),
                                        (137, 0)])
def test_how_the_program_ended_says_whether_it_failed(code, sure):
    fate = Fate(argv=['any'], pid=1, code=code, began=0, ended=1)
    assert likelihood(fate, True) == likelihood(fate, False) == sure


def test_without_knowing_how_it_ended_it_is_a_guess():
    assert likelihood(None, True) == GUESS
    assert likelihood(None, False) == 0
