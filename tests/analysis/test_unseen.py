"""An address space that was nearly full at the end is no failure of a program that ended well."""

from types import SimpleNamespace

from hak.oom.unseen import ended_well


def test_only_an_exit_code_says_that_it_ended_well():
    assert not ended_well(None)
    assert ended_well(SimpleNamespace(code=0))
    assert not ended_well(SimpleNamespace(code=1))
    assert not ended_well(SimpleNamespace(code=-9))
