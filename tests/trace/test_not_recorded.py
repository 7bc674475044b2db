"""What a tier does not record is not known, and is not told as 0."""

import csv
import io
import json
import re
import sqlite3
from pathlib import Path

import pytest
from running import ROOT, Hak, marked

PUPPET = ROOT / 'build/tests/oom/puppet'

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


ORDERS = """hold 512 2000
thin 2
lend 256 5000
wake
threads 2 512 50
churn 64 2000 3
hold 300000 5
hold 5000000 2
"""
# What depends on when it is looked at, not on what was recorded.
BY_CHANCE = {'ns', 'waited_ns', 'waited_max_ns', 'contended', 'err', 'scanned', 'owner'}


@pytest.fixture(scope='module')
def tables(tmp_path_factory) -> dict:
    """tier -> table -> column -> its values, of the same program."""
    told = {}
    with marked() as mark:
        hak = Hak(tmp_path_factory.mktemp('tiers'), mark)
        for name in ('lifecycle', 'flow', 'ops'):
            done = hak('record', '-o', name, '--tier', name, '--', PUPPET, input=ORDERS, stdin=None)
            assert done.code == 0, done.err
            assert hak('report', name, '--db', f'{name}.sqlite').code == 0
            told[name] = _columns(hak.cwd / f'{name}.sqlite')
    return told


def _columns(file: Path) -> dict:
    database = sqlite3.connect(file)
    names = [name for name, in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    found = {}
    for name in names:
        rows = database.execute(f'SELECT * FROM {name}')
        columns = [column[0] for column in rows.description]
        found[name] = dict(zip(columns, zip(*rows.fetchall()))) if name != 'meta' else {}
    return found


@pytest.mark.parametrize('tier', ['lifecycle', 'flow'])
def test_no_column_of_any_table_is_0_where_it_is_not_recorded(tables, tier):
    """What more is recorded says is not 0, says less as unknown, or says nothing of."""
    wrong = [f'{table}.{column}' for table, columns in tables['ops'].items()
             for column, values in columns.items()
             if column not in BY_CHANCE and any(values)
             and any(value == 0 for value in tables[tier][table].get(column, ()))
             and not any(tables[tier][table][column])]
    assert not wrong


LEAKS = 'our @l; for (1 .. 80) { push @l, "x" x 300 for 1 .. 1000; select undef, undef, undef, 0.1 }'


def test_what_every_malloc_tells_of_a_leak_is_told(hak):
    done = hak('record', '-o', 'trace', '--tier', 'ops', '--', 'perl', '-e', LEAKS)
    assert done.code == 0, done.err
    report = json.loads(hak('report', 'trace', '--json').out)
    ops, (process,) = report['ops'], report['processes']
    total, = ops['processes']
    for rows in (ops['classes'], ops['threads'], [total]):
        assert sum(row['allocs'] for row in rows) == total['allocs'] >= 80000
        for row in rows if rows is not ops['threads'] else ():
            assert row['allocs'] - row['frees'] + row['unseen'] - row['untold'] == row['live'], row
    assert sum(row['allocs'] for row in ops['sizes']) == total['allocs']
    assert ops['threads'][0]['tid'] == process['pid']
    answer, = json.loads(hak('oom', 'trace', '--json').out)['processes']
    leak = next(each for each in answer['verdicts'] if each['cause'] == 'leak')
    assert leak['change'] == 'hak report trace'
    blocks, = [each['numbers'] for each in leak['evidence'] if 'tid' in each['numbers']]
    assert blocks == {'blocks': total['live'], 'bytes': total['live_bytes'], 'tid': process['pid']}
    assert total['live_bytes'] >= 80000 * 300
