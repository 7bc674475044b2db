"""What a tier does not record is not known, and is not told as 0."""

import csv
import io
import json
import re

import pytest

BLOCKS = ('refills', 'refilled', 'pushes', 'pushed', 'drains', 'drained', 'used_max', 'used_last')


@pytest.fixture(params=['lifecycle', 'flow'])
def tier(request, hak) -> str:
    done = hak('record', '-o', 'trace', '--tier', request.param, '--', 'perl', '-e',
               'for (1 .. 5) { my @l = map { "x" x ($_ % 900) } 1 .. 20000 }')
    assert done.code == 0, done.err
    return request.param


def test_a_timeline_says_once_what_was_not_recorded(hak, tier):
    text = hak('timeline', 'trace').out
    lives = re.findall('^life .*', text, re.MULTILINE)
    told = re.findall(' (?:refills|pushed|drained)=', text)
    assert lives and len(re.findall('^not_recorded tier=flow', text, re.MULTILINE)) == (
        tier == 'lifecycle')
    assert len(told) == (0 if tier == 'lifecycle' else 3 * len(lives))
    items = json.loads(hak('timeline', 'trace', '--json').out)['items']
    rows = list(csv.DictReader(io.StringIO(hak('timeline', 'trace', '--csv').out)))
    for item, row in zip(items, rows, strict=True):
        for name in BLOCKS:
            assert row[name] == ('' if item[name] is None else str(item[name]))
    known = [name for name in BLOCKS if any(item[name] for item in items)]
    assert ('refilled' in known) == (tier == 'flow'), known
    if tier == 'lifecycle':
        assert all(item['refilled'] is None and item['used_max'] != 0 for item in items)
