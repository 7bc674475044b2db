"""A storm of refusals: the recording stays small and its counts exact, and sums are called sums."""

import json
import re
from subprocess import PIPE

import pytest
from conftest import ROOT, events, named
from running import SECONDS, a_daemon
from test_pipeline import STATISTICS, compare, counters, record, report

REFUSALS = ROOT / 'build/bench/refusals'
CAPS = {'HAKMEM_TINY_CAP': '1:1,2:1', 'HAKMEM_ACE_MID_CAP': '1M'}
MANY = 400_000
MOST_BYTES = 20 << 20
REFUSED = ('shared_fail', 'legacy', 'ace_fail')


def size(hak) -> int:
    return sum(path.stat().st_size for path in (hak.cwd / 'trace').rglob('*') if path.is_file())


def test_a_storm_is_recorded_in_sums_that_are_exact(hak):
    own = counters(record(hak, REFUSALS, MANY, **CAPS))
    assert size(hak) <= MOST_BYTES
    story = report(hak)
    compare(story, own)
    told = story['told_singly']
    assert told['shared_fail'][1] == sum(each['shared_fail'] for each in own.values())
    assert told['legacy'][1] == sum(each['legacy'] for each in own.values())
    for kind in REFUSED:
        assert 1000 <= told[kind][0] < told[kind][1], (kind, told)
    # The mid pool refused them, and so did the large one.
    mid, = (row for row in story['ace_failures'] if row['layer'] == 'MID')
    assert MANY // 3 <= mid['count'] <= MANY // 3 + 1000, mid
    assert (mid['smallest'], mid['largest']) == (8192, 8192)
    for fail in story['shared_fail']:
        assert fail['first'] < fail['last'], fail
    refused = {row['cls']: row['count'] for row in story['shared_fail']}
    assert sum(thread['refused'] for thread in story['threads']) == sum(refused.values())
    # What each stage answered to them is known as well.
    outcomes = story['stage_outcomes']['STAGE_3']
    assert outcomes['SOFT_CAP'] >= sum(refused.values())


def test_what_is_in_sums_only_is_said(hak):
    record(hak, REFUSALS, MANY, **CAPS)
    shown = hak('report', 'trace').out
    told = {kind: (int(n), int(of)) for kind, n, of in re.findall(
        r'told_singly.*?kind=(\w+) told=(\d+) count=(\d+)', shown)}
    assert told.keys() == {*REFUSED}, shown[:3000]
    proof = hak('verify', 'trace')
    assert proof.code == 0 and proof.out.startswith('proved'), proof.out
    line, = (line for line in proof.out.splitlines() if line.startswith('told singly: '))
    n, of = (int(number.replace(',', '')) for number in re.findall(r'[\d,]+', line)[:2])
    assert (n, of) == told['shared_fail']


def test_a_storm_is_judged_by_all_of_it(hak):
    record(hak, REFUSALS, MANY, **CAPS)
    judged = hak('oom', 'trace', '--json')
    assert judged.code == 1, judged.err
    answer, = json.loads(judged.out)['processes']
    first, second = answer['verdicts'][:2]
    assert (first['cause'], second['cause']) == ('soft_cap', 'ace_exhaustion')
    assert 0.6 < first['weight'] < 0.7 and 0.3 < second['weight'] < 0.4


@pytest.mark.parametrize('how', [{'tier': 'flow'}, {'HAKMEM_TELL_SINGLY': '0'}])
def test_who_wants_each_told_has_each_told(hak, how):
    own = counters(record(hak, REFUSALS, 12000, **CAPS, **how))
    lines = events(hak.cwd / 'trace')
    assert not [line for line in lines if '_sum:' in line]
    assert len(named(lines, 'shared_fail')) == sum(each['shared_fail'] for each in own.values())
    assert len(named(lines, 'legacy_alloc')) >= sum(each['legacy'] for each in own.values())
    story = report(hak)
    for kind in REFUSED:
        told, count = story['told_singly'][kind]
        assert told == count > 3000, kind
    assert hak('verify', 'trace').code == 0


def test_a_session_that_records_no_sums_is_told_each(user_hak):
    """As one that somebody has made by hand, of the events he knows."""
    with a_daemon(user_hak) as daemon:
        daemon.lttng('create', 'mine', f'--output={user_hak.cwd}/trace')
        daemon.lttng('enable-event', '--userspace', '--session', 'mine', 'hakmem:shared_fail')
        daemon.lttng('start', 'mine')
        program = user_hak.launch(REFUSALS, 12000, env={**CAPS, **STATISTICS}, stderr=PIPE)
        _, err = program.communicate(timeout=SECONDS)
        daemon.lttng('destroy', 'mine')
    own = counters(err)
    assert len(named(events(user_hak.cwd / 'trace'), 'shared_fail')) == sum(
        each['shared_fail'] for each in own.values())


def test_what_a_killed_program_has_not_told_any_more_is_not_called_exact(hak):
    result = hak('record', '-o', 'trace', '--', 'bash', '-c',
                 f'{REFUSALS} 1000000000 & sleep 2; kill -KILL $!; wait $!; true', env=CAPS)
    assert result.code == 0, result.err
    story = report(hak)
    ours, = (each['pid'] for each in story['processes'] if each['name'] == 'refusals')
    assert story['cut_short'] == [ours]
    assert f'storm_cut_short pid={ours}' in hak('report', 'trace').out
    record_again = hak('record', '-o', 'whole', '--', REFUSALS, 9000, env=CAPS)
    assert record_again.code == 0
    assert json.loads(hak('report', 'whole', '--json').out)['cut_short'] == []


OOM = """
import ctypes, resource
malloc = ctypes.CDLL(None).malloc
malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
print(sum(malloc(2 << 30) is None for _ in range(50000)))
"""


def test_requests_that_nobody_serves_are_counted_in_a_storm(hak):
    result = hak('record', '-o', 'trace', '--', '/usr/bin/python3', '-c', OOM,
                 env={'HAKMEM_OOM_REPORT': '0'})
    assert result.code == 0 and result.out.strip() == '50000', result.err
    assert size(hak) <= MOST_BYTES // 4
    story = report(hak)
    assert story['oom'] == 50000
    told, count = story['told_singly']['oom']
    assert 1000 <= told < count == 50000
    assert story['largest_oom'] == 2 << 30
