"""From the allocator's decisions to the report's numbers: nothing is lost or invented on the way."""

import csv
import io
import json
import re

import pytest
from conftest import ROOT, events, named

BENCH = ROOT / 'build/bench'
STRESS = ROOT / 'build/tests/stress'
COUNTERS = {'stage0.5': 'STAGE_0_5', 'stage1': 'STAGE_1', 'stage2': 'STAGE_2', 'adopt': 'ADOPT',
            'rebind': 'REBIND', 'stage3': 'STAGE_3'}
STATISTICS = {'HAKMEM_SHARED_POOL_STAGE_STATS': '1'}


def record(hak, *command, tier: str = 'lifecycle', **env) -> str:
    """Records into `trace`; the program's stderr."""
    result = hak('record', '-o', 'trace', '--tier', tier, '--', *command,
                 env={**STATISTICS, **env})
    assert result.code == 0, result.err
    assert 'nothing lost' in result.err, result.err
    return result.err


def report(hak, *options) -> dict:
    result = hak('report', 'trace', '--json', *options)
    assert result.code == 0, result.err
    return json.loads(result.out)


def counters(stderr: str) -> dict:
    """class -> what the allocator counted itself, from its lines at exit."""
    found = {}
    for line in stderr.splitlines():
        if line.startswith('[SHARED_POOL_STAGE_STATS]'):
            numbers = {key: int(value) for key, value in re.findall(r'(\S+)=(\d+)', line)}
            assert numbers['cls'] not in found, 'two processes printed their counters'
            found[numbers['cls']] = numbers
    assert found, stderr
    return found


def compare(story: dict, own: dict) -> None:
    """Every class and stage, exactly; but two threads count, and tell, in either order."""
    told = {int(cls): numbers for cls, numbers in story['classes'].items()}
    for cls in range(16):
        mine = own.get(cls, {})
        theirs = told.get(cls, {'stages': {}})
        for key, stage in COUNTERS.items():
            assert theirs['stages'].get(stage, 0) == mine.get(key, 0), (cls, stage)
        assert theirs.get('shared_fail', 0) == mine.get('shared_fail', 0), cls
        assert theirs.get('legacy', 0) == mine.get('legacy', 0), cls
        assert theirs.get('live', 0) == mine.get('active', 0), cls
        assert abs(theirs.get('live_peak', 0) - mine.get('peak', 0)) <= 1, cls
        if mine:
            assert theirs['cap'] == mine['cap'], cls
    for key, stage in COUNTERS.items():
        assert story['stages'][stage] == sum(numbers[key] for numbers in own.values()), stage


PROGRAMS = {
    'one-thread': ([BENCH / 'random_mixed', '300000', '8192', '1'], {}),
    'two-threads': ([BENCH / 'random_mixed', '300000', '8192', '2'], {}),
    'eight-classes': ([BENCH / 'random_mixed', '300000', '8192', '2'],
                      {'HAKMEM_TINY_CLASSES': '8', 'HAKMEM_SS_LG': '19'}),
    'marked-only': ([BENCH / 'random_mixed', '300000', '8192', '2'],
                    {'HAKMEM_SS_EMPTY_RECYCLE': 'mark'}),
    'known': ([STRESS / 'known_program'], {}),
    'threads-that-end': ([ROOT / 'build/real/thread_exits_with_live_blocks_others_free'], {}),
    'python': (['/usr/bin/python3', '-c', 'import json; x = [json.dumps([n]) for n in range(99999)]'],
               {'PYTHONMALLOC': 'malloc'}),
}


@pytest.mark.parametrize('name', PROGRAMS)
def test_the_report_s_numbers_are_the_allocator_s_own(hak, name):
    command, env = PROGRAMS[name]
    own = counters(record(hak, *command, **env))
    story = report(hak)
    compare(story, own)
    lines = events(hak.cwd / 'trace')
    active = len(named(lines, 'slab_active'))
    assert story['lives'] == active == sum(
        numbers[key] for numbers in own.values() for key in COUNTERS if key != 'adopt')
    timeline = hak('timeline', 'trace', '--csv')
    assert timeline.code == 0, timeline.err
    assert len(list(csv.reader(io.StringIO(timeline.out)))) == active + 1, 'a line a life'
    proof = hak('verify', 'trace')
    assert proof.code == 0, proof.out + proof.err


def test_flow_adds_up(hak):
    """What refills took, drains gave back; the rest is in caches or with the program."""
    record(hak, BENCH / 'random_mixed', '1000000', '8192', '2', tier='flow')
    classes = report(hak)['classes'].values()
    assert sum(numbers['refilled'] for numbers in classes) > 10000
    for numbers in classes:
        assert numbers['given_own'] + numbers['given_remote'] <= numbers['refilled']
        assert numbers['pushed'] == numbers['given_remote']
        assert numbers['collected'] <= numbers['pushed']
    proof = hak('verify', 'trace')
    assert proof.code == 0, proof.out + proof.err


def test_every_operation_is_recorded(hak):
    record(hak, BENCH / 'random_mixed', '20000', '256', '1', tier='ops')
    lines = events(hak.cwd / 'trace')
    assert len(named(lines, 'alloc')) >= 10000
    # An operation allocates or frees; what is left is freed at the end.
    assert 20000 <= len(named(lines, 'alloc')) + len(named(lines, 'free')) <= 20000 + 1000
    assert hak('verify', 'trace').code == 0


def test_children_and_what_they_execute_are_processes_of_their_own(hak):
    result = hak('record', '-o', 'trace', '--', 'bash', '-c',
                 '(echo $(expr 1 + 1)); ls / | sort | tail -n 1; exec true')
    assert result.code == 0, result.err
    names = [process['name'] for process in report(hak)['processes']]
    assert {'bash', 'ls', 'sort', 'tail', 'expr'} <= set(names), names
    proof = hak('verify', 'trace')
    assert proof.code == 0, proof.out + proof.err


# ---- the old failure ----

OLD = {'HAKMEM_TINY_CLASSES': '8', 'HAKMEM_SS_LG': '19', 'HAKMEM_TINY_CAP': '7:96'}


@pytest.mark.parametrize('recycle', ['off', 'full'])
def test_without_recycling_slabs_are_forgotten_until_the_cap_is_hit(hak, recycle):
    own = counters(record(hak, BENCH / 'random_mixed', '10000000', '8192', '1', **OLD,
                          HAKMEM_SS_EMPTY_RECYCLE=recycle))
    story = report(hak)
    compare(story, own)
    c7 = story['classes']['7']
    assert c7['cap'] == 96
    if recycle == 'full':
        assert c7['shared_fail'] == c7['legacy'] == 0 and not story['shared_fail']
        assert 60 <= c7['live_peak'] <= 96, 'about 66 live slabs are needed'
    else:
        assert c7['shared_fail'] > 1000 and c7['legacy'] == c7['shared_fail']
        assert c7['live_peak'] == 96
        failures = [fail for fail in story['shared_fail'] if fail['cls'] == 7]
        assert [fail['reason'] for fail in failures] == ['FAIL_SOFT_CAP']
        assert failures[0]['unmarked'] > 0, 'the forgotten slabs'
        finding = story['findings'][0]['text']
        assert 'HAKMEM_SS_EMPTY_RECYCLE=full' in finding and 'C7' in finding, finding
    assert hak('verify', 'trace').code == 0


def test_marked_slabs_beyond_the_scan_limit_are_out_of_reach(hak):
    """40 SuperSlabs of C7 become EMPTY; 16 are scanned; the cap refuses the rest."""
    record(hak, STRESS / 'fill_free_fill', '40', HAKMEM_SS_EMPTY_RECYCLE='mark',
           HAKMEM_SS_EMPTY_SCAN_LIMIT='16', HAKMEM_TINY_CLASSES='8', HAKMEM_SS_LG='19',
           HAKMEM_TINY_CAP='7:321')
    story = report(hak)
    failures = [fail for fail in story['shared_fail'] if fail['cls'] == 7]
    beyond = [fail['beyond'] for fail in failures if fail['reason'] == 'FAIL_SCAN_LIMIT']
    # What 16 of the 40 SuperSlabs do not hold; the slabs of two may be in the reclaimer's hands when
    # they are looked at.
    assert beyond and 180 < beyond[0] <= 320 - 14 * 8 + 16, failures
    assert any('HAKMEM_SS_EMPTY_SCAN_LIMIT' in finding['text'] for finding in story['findings'])
    assert story['stages']['STAGE_0_5'] > 0


GIVES_BACK = '''
import time
for _ in range(3):
    held = [bytearray(n % 1500 + 20) for n in range(60000)] + [bytearray(n * 999) for n in range(400)]
    del held
    time.sleep(0.5)
'''


def test_memory_that_goes_back_is_in_the_report_and_proved(hak):
    record(hak, '/usr/bin/python3', '-c', GIVES_BACK, HAKMEM_TICK='20', PYTHONMALLOC='malloc')
    lines = events(hak.cwd / 'trace')
    story = report(hak)
    layers = {row['layer']: row for row in story['memory']}
    assert {'TINY', 'MID', 'LARGE'} <= set(layers)
    for name, layer in (('superslab', 'TINY'), ('ace', 'MID'), ('ace', 'LARGE')):
        kind = f'"{layer}"' if name == 'ace' else ''
        for what, key in (('map', 'maps'), ('unmap', 'unmaps'), ('purge', 'purges')):
            counted = sum(kind in line for line in named(lines, f'{name}_{what}'))
            assert layers[layer][key] == counted, (layer, what)
    assert layers['TINY']['unmaps'] > 0 and layers['TINY']['purges'] > 0
    assert layers['TINY']['mapped'] < layers['TINY']['peak']
    proof = hak('verify', 'trace')
    assert proof.code == 0, proof.out + proof.err
