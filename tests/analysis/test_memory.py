"""What reports and timelines tell of memory that goes back, of ACE's layers and of learning."""

import json

import pytest
from history import SLAB, SS, SS_STEP, History, ready
from recorder import hak
from test_views import on_terminal

MIB = 1 << 20


def told(command, trace, *more) -> dict:
    result = hak(command, trace, '--json', *more)
    assert result.code == 0, result.err
    return json.loads(result.out)


def names(report: dict) -> list:
    return [finding['name'] for finding in report['findings']]


def test_superslabs_that_come_and_go(record):
    h = ready()                             # 2 MiB
    h.map(SS + SS_STEP, 8)
    for slab in (1, 2, 3):
        h.acquire(slab=slab)
        h.drop(slab=slab)
    h.purge(1, 2)
    h.purge(3)
    h.acquire('STAGE_1', slab=2, gen=2)
    h.unmap(SS + SS_STEP, 8)
    h.map(SS + SS_STEP, 16)
    trace = record(h.text())
    report = told('report', trace)
    (row,) = report['memory']
    assert row['peak_at'] > report['begin'] and row['ns'] == 3 * 900 + 2 * 700 + 600
    assert {key: row[key] for key in row if key not in ('peak_at', 'ns', 'pid')} == {
        'layer': 'TINY', 'mapped': 3 * MIB, 'peak': 3 * MIB, 'maps': 3, 'map_bytes': 3 * MIB
        + MIB // 2, 'unmaps': 1, 'unmap_bytes': MIB // 2, 'purges': 2, 'purge_bytes': 3 * SLAB,
        'remaps': 0, 'moves': 0}
    assert report['memory_over_time'][0]['last'] == {
        'tiny': 3 * MIB, 'returned': 2 * SLAB, 'mid': 0, 'large': 0, 'huge': 0}
    assert {(item['bytes'], item['count'], item['unmapped']) for item in report['superslabs']} == {
        (2 * MIB, 1, 0), (MIB // 2, 1, 1), (MIB, 1, 0)}
    assert report['regretted'] == {'unmapped': 1, 'purged': 1, 'slabs_purged': 3}
    drawn = on_terminal('report', trace)
    assert 'Memory' in drawn and 'of it purged, 128.0 KiB at the end' in drawn


def test_what_is_purged_and_mapped_is_told_at_each_time(record):
    h = ready(slabs=8)
    h.acquire()
    h.drop()
    h.lines.append('sleep 150')
    h.purge(1)
    h.lines.append('sleep 150')
    h.acquire('STAGE_1', gen=2)
    h.map(SS + SS_STEP, 8)
    h.lines.append('sleep 150')
    h.unmap(SS + SS_STEP, 8)
    h.lines.append('sleep 150')
    h.drop(gen=2)
    (series,) = told('report', record(h.text()))['memory_over_time']
    parts = series['parts']
    assert [parts[at]['returned'] for at in (8, 22, 38, 52)] == [0, SLAB, 0, 0]
    assert [parts[at]['tiny'] for at in (8, 22, 38, 52)] == [
        MIB // 2, MIB // 2, MIB, MIB // 2]


def test_a_timeline_tells_what_became_of_a_slab_s_memory(record):
    h = ready()
    h.acquire()
    h.drop()
    h.purge(1)
    h.acquire('STAGE_1', gen=2)
    h.drop(gen=2)
    h.purge(1)
    h.unmap()
    h.map()
    h.acquire()
    h.drop()
    trace = record(h.text())
    first, second, third = told('timeline', trace)['items']
    assert [life['gen'] for life in (first, second, third)] == [1, 2, 1]
    assert [life['mapping'] for life in (first, second, third)] == [1, 1, 2]
    assert {life['ss'] for life in (first, second, third)} == {hex(SS)}
    assert first['end'] < first['purged'] < second['begin'] and first['unmapped'] is None
    assert second['end'] < second['purged'] < second['unmapped'] < third['begin']
    assert third['purged'] is third['unmapped'] is None
    lines = hak('timeline', trace).out.splitlines()
    assert 'purged=' in lines[1] and 'unmapped=' not in lines[1]
    assert 'unmapped=' in lines[2] and 'mapping=2' in lines[3]
    header, row = hak('timeline', trace, '--csv').out.splitlines()[:2]
    assert dict(zip(header.split(','), row.split(',')))['purged'] == str(first['purged'])
    drawn = on_terminal('timeline', trace)
    assert f'{hex(SS)}#2:1' in drawn and 'unmapped' in drawn


def test_a_life_that_the_unmap_cuts_off_is_told(record):
    h = ready()
    h.acquire()
    h.unmap()
    trace = record(h.text())
    (life,) = told('timeline', trace)['items']
    assert life['ended'] == 'unseen' and life['unmapped'] and not life['certain']
    assert told('report', trace)['classes']['6']['live'] == 0


def test_superslabs_from_before_the_recording(record):
    h = History(announced=False)
    h.release(3, gen=7)
    h.purge(3, 4)
    h.unmap()
    h.map()
    h.acquire(slab=3)
    trace = record(h.text())
    assert hak('verify', trace).code == 0
    (row,) = told('report', trace)['memory']
    assert (row['maps'], row['unmaps'], row['mapped']) == (1, 1, 2 * MIB)
    (life,) = told('timeline', trace)['items']
    assert life['mapping'] == 2


def test_a_window_has_its_own_peak_and_counts(record):
    h = ready(slabs=8)
    h.map(SS + SS_STEP, 32)
    h.unmap(SS + SS_STEP, 32)
    h.lines.append('sleep 200')
    h.map(SS + SS_STEP, 16)
    trace = record(h.text())
    (row,) = told('report', trace, '--from', '0.1')['memory']
    assert (row['maps'], row['unmaps'], row['peak']) == (1, 0, MIB + MIB // 2)
    (row,) = told('report', trace, '--to', '0.1')['memory']
    assert (row['maps'], row['unmaps'], row['peak'], row['mapped']) == (
        2, 1, 2 * MIB + MIB // 2, MIB // 2)


def test_ace_s_layers_are_told_apart(record):
    h = ready()
    h.region('ace_map', SS + 0x10000000, 4 * MIB, 'MID', 4 * MIB)
    h.region('ace_map', SS + 0x20000000, 4 * MIB, 'MID', 8 * MIB)
    h.region('ace_purge', SS + 0x20001000, MIB, 'MID', 8 * MIB)
    h.region('ace_unmap', SS + 0x20000000, 4 * MIB, 'MID', 4 * MIB)
    h.region('ace_map', SS + 0x30000000, 5 * MIB, 'HUGE', 5 * MIB)
    h.remap(SS + 0x30000000, SS + 0x30000000, 5 * MIB, 6 * MIB, 6 * MIB)
    h.remap(SS + 0x30000000, SS + 0x40000000, 6 * MIB, 9 * MIB, 9 * MIB)
    trace = record(h.text())
    layers = {row['layer']: row for row in told('report', trace)['memory']}
    assert set(layers) == {'TINY', 'MID', 'HUGE'}
    mid, huge = layers['MID'], layers['HUGE']
    assert (mid['peak'], mid['mapped'], mid['maps'], mid['unmaps'], mid['unmap_bytes'],
            mid['purges'], mid['purge_bytes']) == (8 * MIB, 4 * MIB, 2, 1, 4 * MIB, 1, MIB)
    assert (huge['peak'], huge['mapped'], huge['maps'], huge['remaps'], huge['moves']) == (
        9 * MIB, 9 * MIB, 1, 2, 1)
    drawn = on_terminal('report', trace)
    assert 'huge' in drawn and '9.0 MiB' in drawn


def test_refusals_are_told_by_layer_and_reason(record):
    h = ready()
    for size in (9000, 3000, 12000):
        h.ace_fail(size, 'MID', 'EXHAUSTION', class_size=size + 500, used=8 * MIB, limit=8 * MIB)
        h.ace_fail(size, 'LARGE', 'THRESHOLD', class_size=40960)
    h.ace_fail(70000, 'LARGE', 'THRESHOLD', class_size=81920)
    h.ace_fail(12000, 'HUGE', 'MAP_FAIL_OS', err=12)
    h.add('legacy_alloc', base='0x1000', size=12000, cls=255, source='SYSTEM_MALLOC',
          why='WHY_LARGE')
    trace = record(h.text())
    report = told('report', trace)
    assert report['ace_fail'] == {'EXHAUSTION': 3, 'THRESHOLD': 4, 'MAP_FAIL_OS': 1}
    rows = {(row['layer'], row['passed_on']): row for row in report['ace_failures']}
    assert {key: row['count'] for key, row in rows.items()} == {
        ('MID', False): 3, ('LARGE', True): 3, ('LARGE', False): 1, ('HUGE', True): 1}
    mid, huge = rows['MID', False], rows['HUGE', True]
    assert (mid['reason'], mid['count'], mid['smallest'], mid['largest'], mid['class_size'],
            mid['used'], mid['limit'], mid['errno']) == (
        'EXHAUSTION', 3, 3000, 12000, 12500, 8 * MIB, 8 * MIB, '')
    assert mid['first'] < mid['last']
    assert (huge['reason'], huge['errno']) == ('MAP_FAIL_OS', 'ENOMEM')
    assert names(report)[0] == 'map_fail'
    texts = {finding['name']: finding['text'] for finding in report['findings']}
    assert texts['map_fail'].startswith(
        'the system refused memory once to direct mapping (ENOMEM), for 12,000 B')
    assert texts['ace_exhaustion'] == (
        'the mid pool refused 3 requests of 3,000 to 12,000 B because it was full: 8.0 MiB of '
        '8.0 MiB (the large pool refused 3 of its sizes too): raise HAKMEM_ACE_MID_CAP')
    assert texts['ace_threshold'].startswith('the large pool refused 1 request of 70,000 B')
    assert 'raise HAKMEM_ACE_WMAX' in texts['ace_threshold']
    assert texts['ace_gave_up'].startswith("1 request that no layer took went to the system's")
    assert 'Refused by a layer' in on_terminal('report', trace)


def test_sizes_over_time_are_told_by_class(record):
    h = ready(slabs=8)
    h.map(SS + SS_STEP, 8, cls=3)
    h.size(19, 20, cls=3)
    h.map(SS + 2 * SS_STEP, 16, cls=3)
    h.map(SS + 3 * SS_STEP, 16, cls=3)
    h.unmap(SS + 3 * SS_STEP, 16)
    h.size(20, 19, 'SIZE_MAP_FAIL', cls=3)
    trace = record(h.text())
    report = told('report', trace)
    assert [(row['cls'], row['bytes'], row['maps'], row['unmaps'])
            for row in report['class_sizes']] == [
        (3, MIB // 2, 1, 0), (3, MIB, 2, 1), (6, MIB // 2, 1, 0)]
    assert [(row['cls'], row['from'], row['to'], row['why'], row['maps'], row['occupancy'])
            for row in report['sizes']] == [
        (3, MIB // 2, MIB, 'SIZE_MAP_RATE', 3, 70), (3, MIB, MIB // 2, 'SIZE_MAP_FAIL', 3, 70)]
    assert names(report) == ['size_refused'] and 'C3' in report['findings'][0]['text']
    assert 'C3 mapped 1 of 512.0 KiB and 2 of 1.0 MiB: 512.0 KiB, then 1.0 MiB at' in on_terminal(
        'report', trace)


def test_a_cap_that_turns_round_often_is_a_finding(record):
    h = ready()
    for _ in range(4):
        h.cap(24, before=16, cls=7, demand=17)
        h.cap(16, 'CAP_IDLE', before=24, cls=7, demand=9)
    trace = record(h.text())
    report = told('report', trace)
    assert names(report) == ['unsteady']
    assert 'soft cap of class C7 (2,048 B) turned round 7 times' in report['findings'][0]['text']
    assert 'HAKMEM_TINY_CAP=7:24' in report['findings'][0]['text']
    drawn = on_terminal('report', trace)
    assert 'Soft caps' in drawn and 'idleness' in drawn


def give_back_at_once(h) -> None:
    for _ in range(30):
        h.map(SS + SS_STEP, 8)
        h.acquire('STAGE_3', slab=1, ss=SS + SS_STEP)
        h.drop(slab=1, ss=SS + SS_STEP)
        h.purge(1, ss=SS + SS_STEP)
        h.acquire('STAGE_1', slab=1, gen=2, ss=SS + SS_STEP)
        h.drop(slab=1, gen=2, ss=SS + SS_STEP)
        h.unmap(SS + SS_STEP, 8)


def test_memory_given_back_too_early_is_a_finding(record):
    h = ready()
    give_back_at_once(h)
    report = told('report', record(h.text()))
    assert {'superslab_churn', 'purge_churn'} <= set(names(report))
    texts = {finding['name']: finding['text'] for finding in report['findings']}
    assert texts['superslab_churn'].startswith('30 SuperSlabs of 31 were unmapped within a second')
    assert texts['purge_churn'].startswith('30 slabs of 30 that were purged were needed again')


@pytest.mark.parametrize('option', [(), ('--class', '6')])
def test_a_report_of_a_trace_without_memory_events(record, option):
    h = History()
    h.thread()
    report = told('report', record(h.text()), *option)
    assert report['memory'] == report['memory_over_time'] == report['sizes'] == []
    assert report['regretted'] == {'unmapped': 0, 'purged': 0, 'slabs_purged': 0}
