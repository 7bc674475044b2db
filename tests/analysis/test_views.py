"""What the commands show: windows, filters, formats, findings."""

import csv
import io
import json
import subprocess
import time

import pytest
from history import SS, Wanderer, line, ready
from recorder import HAK, SECONDS, hak, on_terminal
from recount import events, recount


@pytest.fixture(scope='module')
def spread(lttng_recorder, tmp_path_factory):
    """A history of 400 ms with a pause in the middle."""
    trace = tmp_path_factory.mktemp('spread') / 'trace'
    lines = Wanderer(5, 800).history.lines
    middle = len(lines) // 2
    with lttng_recorder.session(trace) as emit:
        emit('\n'.join([*lines[:middle], 'sleep 400', *lines[middle:]]))
    times = [event[0] for event in events(trace)]
    gaps = [(after - before, before) for before, after in zip(times, times[1:])]
    return trace, times[0], max(gaps)[1] + 200_000_000


def told(command, trace, *more) -> dict:
    result = hak(command, trace, '--json', *more)
    assert result.code == 0, result.err
    return json.loads(result.out)


def test_a_window_counts_what_lies_in_it(spread):
    trace, first, middle = spread
    seconds = f'{(middle - first) / 1e9:.9f}'
    for option, bounds in (('--from', {'begin': middle}), ('--to', {'end': middle})):
        counted = recount(trace, **bounds)
        for when in (seconds, str(middle)):
            report = told('report', trace, option, when)
            assert report['lives'] == counted['lives']
            assert {stage: n for stage, n in report['stages'].items() if n} == counted['stages']
            assert sum(report['event_counts'].values()) == sum(counted['events'].values())


def test_both_halves_make_the_whole(spread):
    trace, first, middle = spread
    whole = told('report', trace)
    halves = [told('report', trace, option, str(middle)) for option in ('--from', '--to')]
    for stage, count in whole['stages'].items():
        assert count == sum(half['stages'][stage] for half in halves)
    assert halves[0]['checked']['violations'] == halves[1]['checked']['violations'] == 0
    # Slabs from before the window live in it, and count when its peak is looked for.
    for cls, item in whole['classes'].items():
        late = halves[0]['classes'].get(cls)
        if late:
            assert late['live'] == item['live'] and late['live_peak'] <= item['live_peak']
    assert not told('report', trace, '--from', str(middle))['carried']


def test_time_of_day(spread):
    trace, _, middle = spread
    clock = time.strftime('%H:%M:%S', time.localtime(middle // 10 ** 9))
    clock += f'.{middle % 10 ** 9:09d}'
    assert told('report', trace, '--to', clock)['lives'] == recount(trace, end=middle)['lives']


@pytest.mark.parametrize('arguments', [
    ('--from', 'yesterday'), ('--from', '25:00:00'), ('--from', '2', '--to', '1'),
    ('--class', '16'), ('--class', 'x'), ('--pid', 'x'), ('--from', '-1')])
def test_what_cannot_be_meant_is_bad_usage(spread, arguments):
    result = hak('report', spread[0], *arguments)
    assert result.code == 2 and result.out == ''
    assert result.err.startswith('hak: ') and len(result.err.splitlines()) == 1


def test_a_process_that_is_not_there(spread):
    result = hak('report', spread[0], '--pid', '1')
    assert result.code == 3 and 'no process 1' in result.err


def test_a_timeline_s_window_has_the_lives_that_reach_into_it(spread):
    trace, _, middle = spread
    every = told('timeline', trace)['items']
    late = told('timeline', trace, '--from', str(middle))['items']
    early = told('timeline', trace, '--to', str(middle))['items']
    assert early == [life for life in every if life['begin'] < middle]
    assert late == [life for life in every if not life['end'] or life['end'] >= middle]


def test_a_timeline_s_filters(spread):
    trace = spread[0]
    every = told('timeline', trace)['items']
    some = every[len(every) // 2]
    for option, key, value in (('--class', 'cls', some['cls']), ('--ss', 'ss', some['ss']),
                               ('--slab', 'slab', some['slab'])):
        assert told('timeline', trace, option, value)['items'] == [
            life for life in every if life[key] == value]
    assert told('timeline', trace, '--thread', some['tid'])['items'] == [
        life for life in every if some['tid'] in [spell['tid'] for spell in life['spells']]]
    limited = told('timeline', trace, '--limit', 3)
    assert limited['items'] == every[:3] and limited['lives'] == len(every)


def test_csv_says_what_json_says(spread):
    trace = spread[0]
    rows = list(csv.DictReader(io.StringIO(hak('timeline', trace, '--csv').out)))
    items = told('timeline', trace)['items']
    assert len(rows) == len(items)
    for row, item in zip(rows, items):
        assert (row['ss'], int(row['gen']), row['stage']) == (item['ss'], item['gen'],
                                                              item['stage'])
        assert row['spells'] == ' '.join(str(spell['owner']) for spell in item['spells'])


def test_lines_in_a_pipe_are_facts(spread):
    result = hak('report', spread[0])
    assert result.code == 0 and result.err == '' and '\x1b' not in result.out
    topics = {text.split()[0] for text in result.out.splitlines()}
    assert {'trace', 'process', 'lost', 'lives', 'acquires', 'stage', 'class', 'thread', 'checked',
            'superslabs'} <= topics


def test_a_terminal_gets_a_drawing(spread):
    said = on_terminal('report', spread[0])
    for words in ('Findings', 'Stages', 'Size classes', 'nothing was lost', '\x1b['):
        assert words in said
    assert '\x1b[3' not in on_terminal('report', spread[0], env={'NO_COLOR': '1'})
    assert 'C' in on_terminal('timeline', spread[0])


def test_progress_is_for_terminals_only(spread, tmp_path):
    for command in ('report', 'verify', 'timeline'):
        assert hak(command, spread[0], '--db', tmp_path / command).err == ''


def test_failures_are_told_with_address_and_time(record):
    h = ready()
    h.acquire()
    h.lines += [
        line('hdr_reset', cls=6, base='0x7f0000012345', got='0x00', expect='0xa6', word='0x1',
             count=0, where='AT_POP'),
        line('double_free', base='0x7f0000012400', ss=hex(SS), slab=1, gen=1, cls=6),
        line('double_free', base='0x7f0000012400', ss=hex(SS), slab=1, gen=1, cls=6),
        line('invalid_free', ptr='0x7f0000000010', ss=hex(SS), slab=0, cls=6, why='IN_HEADER'),
        line('ace_fail', size=2048, layer='TINY', reason='MAP_FAIL_OS', class_size=2048, err=12),
        line('ace_fail', size=9000, layer='MID', reason='THRESHOLD', class_size=0),
        line('double_free', base='0x7f0100000000', ss='0x7f0100000000', cls=254),
        line('invalid_free', ptr='0x7fff00000010', cls=255, why='ON_A_STACK'),
        line('oom', size=1 << 40, err=12),
    ]
    trace = record(h.text())
    report = told('report', trace)
    assert (report['hdr_reset'], report['double_free'], report['invalid_free'],
            report['oom']) == (1, 3, 2, 1)
    assert report['ace_fail'] == {'MAP_FAIL_OS': 1, 'THRESHOLD': 1}
    (reset,) = report['failures']['hdr_reset']
    assert (reset['address'], reset['got'], reset['expect'], reset['where'], reset['tid']) == (
        '0x7f0000012345', '0x0', '0xa6', 'AT_POP', record.pids[0])
    assert reset['time'] > report['begin']
    assert report['failures']['invalid_free'][0]['why'] == 'IN_HEADER'
    assert report['failures']['ace_fail'][0]['errno'] == 'ENOMEM'
    names = [finding['name'] for finding in report['findings']]
    assert set(names) == {'hdr_reset', 'double_free', 'invalid_free', 'map_fail', 'oom',
                          'ace_threshold'}
    huge, stack = report['failures']['double_free'][2], report['failures']['invalid_free'][1]
    assert (huge['layer'], huge['cls'], huge['ss']) == ('HUGE', None, '0x7f0100000000')
    assert (stack['why'], stack['cls'], stack['ss'], stack['slab']) == ('ON_A_STACK', None, None,
                                                                       None)
    assert '0x7f0000012345' in on_terminal('report', trace)


@pytest.mark.parametrize('counts, name, words', [
    ({'unmarked': 61}, 'soft_cap_stranded',
     'soft cap of 96 was reached while 61 slabs with nothing live were forgotten (unmarked): '
     'set HAKMEM_SS_EMPTY_RECYCLE=full'),
    ({'marked': 5}, 'soft_cap_unlisted', '5 slabs with nothing live were out of reach'),
    ({}, 'soft_cap_low', 'soft cap of 96 is below its demand'),
    ({'reason': 'FAIL_SCAN_LIMIT', 'marked': 9, 'beyond': 9}, 'scan_limit',
     '9 EMPTY slabs lay beyond its scan limit'),
    ({'reason': 'FAIL_MAP_FAIL'}, 'map_fail_refused', 'refused memory'),
])
def test_refusals_name_their_cause(record, counts, name, words):
    h = ready()
    for _ in range(3):
        h.fail(cls=7, cap=96, **counts)
        h.add('legacy_alloc', base='0x1000', size=2000, cls=7, source='LEGACY_SUPERSLAB',
              why='WHY_SHARED_FAIL')
    report = told('report', record(h.text()))
    assert [finding['name'] for finding in report['findings']] == [name]
    text = report['findings'][0]['text']
    assert text.startswith('class C7 (2,048 B): 3 requests fell to legacy because') and words in text
    item = report['classes']['7']
    assert (item['shared_fail'], item['legacy'], item['cap']) == (3, 3, 96)
    assert report['legacy'] == [{'cls': 7, 'source': 'LEGACY_SUPERSLAB', 'why': 'WHY_SHARED_FAIL',
                                 'blocks': 3, 'bytes': 6000, 'told': 3}]


def test_stage_3_after_warm_up_is_a_finding(record):
    h = ready()
    h.lines.append('sleep 60')
    for number in range(40):
        ss = SS + (number + 1) * (2 << 20)
        h.map(ss, 8)
        for slab in range(3):
            h.acquire('STAGE_3', slab, ss=ss)
    report = told('report', record(h.text()))
    assert [finding['name'] for finding in report['findings']] == ['stage_3']


def test_lifetimes_are_told_in_quantiles(record):
    h = ready()
    for gen in range(1, 201):
        h.acquire('STAGE_2' if gen == 1 else 'STAGE_1', gen=gen)
        if gen == 200:
            h.lines.append('sleep 100')
        h.drop(gen=gen)
    trace = record(h.text())
    lifetime = told('report', trace)['classes']['6']['lifetime']
    exact = sorted(life['end'] - life['begin'] for life in told('timeline', trace)['items'])
    assert lifetime['count'] == 200
    for key, rank in (('p50', 99), ('p90', 179), ('p99', 197), ('max', 199)):
        assert lifetime[key] == pytest.approx(exact[rank], rel=0.017, abs=1)


def test_settings_and_caps_are_told(record):
    h = ready()
    h.add('config', key='HAKMEM_TINY_CAP', value='6:3', is_default=0)
    h.add('config', key='HAKMEM_SS_LG', value='0', is_default=1)
    h.cap(3, 'CAP_KNOB')
    h.cap(24, before=16, cls=7, demand=17)
    h.cap(3, 'CAP_KNOB')    # announced again
    report = told('report', record(h.text()))
    assert report['processes'][0]['settings'] == {'HAKMEM_TINY_CAP': '6:3'}
    assert [(row['cls'], row['from'], row['to'], row['why'], row['demand'])
            for row in report['caps']] == [(6, 0, 3, 'CAP_KNOB', 0), (7, 16, 24, 'CAP_DEMAND', 17)]
    assert report['classes']['6']['cap'] == 3 and report['classes']['7']['cap'] == 24
    assert not report['findings']


def test_a_reader_that_leaves_is_no_error(spread):
    command = f'{HAK} timeline {spread[0]} | head -n 1'
    done = subprocess.run(['bash', '-c', command], capture_output=True, text=True, timeout=SECONDS,
                          check=False)
    assert done.stdout.startswith('lives') and done.stderr == ''
