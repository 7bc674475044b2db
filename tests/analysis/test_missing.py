"""What is missing of a trace is said with its place, and excuses what it may explain."""

import json
import os
import shutil

import pytest
from history import ready
from recorder import Channel, hak


def lines(slabs: int) -> list[str]:
    """Lives that go on on one CPU and end on the other."""
    h = ready()
    for slab in range(1, slabs):
        h.lines.append('cpu 0')
        h.acquire(slab=slab)
        h.lines.append('cpu 1')
        h.drop(slab=slab)
        h.acquire('STAGE_1', slab=slab, gen=2)
    return h.lines


@pytest.fixture(scope='module')
def good(lttng_recorder, tmp_path_factory):
    trace = tmp_path_factory.mktemp('missing') / 'trace'
    with lttng_recorder.session(trace, Channel(subbuf_size=4096, subbufs=64)) as emit:
        emit('\n'.join(lines(32)) + '\n')
    return trace


@pytest.fixture
def copy(good, tmp_path):
    shutil.copytree(good, tmp_path / 'copy')
    return tmp_path / 'copy'


def folder(trace):
    return next(trace.rglob('metadata')).parent


def index(trace, name: str):
    return folder(trace) / 'index' / f'{name}.idx'


def looked_at(trace) -> tuple[dict, dict]:
    """What report says of losses, and verify; neither claims or accuses."""
    report, verify = hak('report', trace, '--json'), hak('verify', trace, '--json')
    assert report.code == 0 and verify.code == 0, (report.err, verify.out)
    lost, verdict = json.loads(report.out)['lost'], json.loads(verify.out)
    assert not verdict['proved'] and not verdict['violations'], verdict['rules']
    assert lost['uncounted'] or lost['packets'] or lost['doubts'] or lost['unfinished'], lost
    assert 'not proved' in hak('verify', trace).out
    return lost, verdict


def missing(lost: dict) -> dict:
    return {row['stream']: row for row in lost['intervals'] if row['kind'] == 'missing'}


def packets(path) -> int:
    """By its index."""
    return (path.stat().st_size - 16) // 72


def test_of_a_whole_trace_nothing_is_missing(good):
    lost = json.loads(hak('report', good, '--json').out)['lost']
    assert not any(lost.values()), lost
    assert hak('verify', good).out.startswith('proved')


def test_a_stream_that_is_gone_is_told_by_its_index(copy):
    (folder(copy) / 'channel0_1').unlink()
    lost, _ = looked_at(copy)
    row = missing(lost)['channel0_1']
    assert row['count'] == packets(index(copy, 'channel0_1')) and row['begin'] < row['end']


def test_a_stream_that_is_gone_with_its_index_is_told_by_its_sisters(record, tmp_path):
    text = '\n'.join(lines(10)) + '\n'
    trace = record(text, channels=[Channel('hakmem:slab_*,hakmem:superslab_*,hakmem:process_start,'
                                           'hakmem:thread_*'), Channel('hakmem:acquire_*')])
    (folder(trace) / 'channel0_1').unlink()
    index(trace, 'channel0_1').unlink()
    lost, _ = looked_at(trace)
    assert missing(lost)['channel0_1']['count'] is None and lost['uncounted']


def test_last_packets_that_are_gone_are_told_by_the_index(copy):
    path = folder(copy) / 'channel0_1'
    whole = path.stat().st_size
    os.truncate(path, 4096)
    lost, _ = looked_at(copy)
    assert missing(lost)['channel0_1']['count'] == whole // 4096 - 1


def test_last_packets_that_are_gone_without_an_index_are_not_denied(copy):
    os.truncate(folder(copy) / 'channel0_0', 4096)
    shutil.rmtree(folder(copy) / 'index')
    lost, verdict = looked_at(copy)
    assert lost['doubts'] and lost['unfinished'] and verdict['unfinished']


@pytest.mark.parametrize('at', [0, 12, 16, 24, 32, 40, 56, 64, 80])
def test_an_index_that_is_wrong_is_not_believed_and_nothing_else_either(copy, good, at):
    path = index(copy, 'channel0_0')
    data = bytearray(path.read_bytes())
    data[at + 3] ^= 0x41
    path.write_bytes(data)
    report, whole = (json.loads(hak('report', trace, '--json').out) for trace in (copy, good))
    assert report['events'] == whole['events'] and report['lost']['doubts']
    assert not json.loads(hak('verify', copy, '--json').out)['proved']


def test_a_stream_that_is_there_twice_is_read_once(copy, good):
    shutil.copy(folder(copy) / 'channel0_0', folder(copy) / 'channel0_7')
    report, whole = (json.loads(hak('report', trace, '--json').out) for trace in (copy, good))
    assert report['events'] == whole['events']
    assert any('channel0_7' in text and 'left out' in text for text in report['warnings'])


@pytest.mark.parametrize('name', [b'hakmem:slab_empti"', b'others:slab_empty"',
                                  b'others.slab_emptx"'])
def test_events_of_an_unknown_kind_are_told_and_excuse_what_follows(copy, name):
    metadata = folder(copy) / 'metadata'
    metadata.write_bytes(metadata.read_bytes().replace(b'hakmem:slab_empty"', name))
    lost, _ = looked_at(copy)
    assert lost['uncounted']
    assert 'of kinds that this version of hak does not know' in hak('report', copy).err


def test_of_metadata_that_no_session_daemon_wrote_nothing_is_concluded(copy):
    from hak import traces

    metadata = folder(copy) / 'metadata'
    metadata.write_text(traces.find(copy)[0].text)
    (folder(copy) / 'channel0_1').unlink()
    index(copy, 'channel0_1').unlink()
    lost, _ = looked_at(copy)
    assert lost['doubts']
