"""Which events a tier records, and how large the buffers are that take them."""

import pytest
from conftest import ROOT
from hak import buffers, catalogue
from hak.buffers import MIB, SMALLEST, Buffers
from hak.errors import HakError


def test_the_catalogue_is_read_whole():
    events = catalogue.events()
    lines = (ROOT / 'tracepoints/events.def').read_text().splitlines()
    assert [event.name for event in events] == [
        line.split('(')[1].split(',')[0] for line in lines if line.startswith('HAK_EVENT(')]
    assert {event.tier for event in events} >= {'lifecycle', 'failure', 'flow', 'ops'}


def test_comments_declare_no_events(tmp_path):
    source = tmp_path / 'events.def'
    source.write_text('/* HAK_EVENT(name, tier, level, fields) */\n'
                      'HAK_EVENT(one, lifecycle, INFO,\n    F_U32(a))\nHAK_EVENT(two, ops, DEBUG)')
    assert catalogue.recorded_by('lifecycle', source) == {'lifecycle': ['one']}
    assert catalogue.recorded_by('ops', source) == {'lifecycle': ['one'], 'ops': ['two']}


def test_a_file_without_events_is_refused(tmp_path):
    source = tmp_path / 'events.def'
    source.write_text('nothing')
    with pytest.raises(HakError, match='lists no events'):
        catalogue.events(source)


def test_failures_are_recorded_by_every_tier():
    for tier in catalogue.LEFT_OUT:
        assert 'hdr_reset' in catalogue.recorded_by(tier)['lifecycle']


@pytest.mark.parametrize('text, size', [('4096', 4096), ('5000', 8192), ('512K', 512 << 10),
                                        ('4m', 4 * MIB), ('1G', 1 << 30)])
def test_sizes_are_rounded_up_to_what_lttng_takes(text, size):
    assert buffers.parse_size(text) == size


@pytest.mark.parametrize('text', ['', 'K', '1.5M', '-4K', '4KB', '4095', '2G', '٤٠٩٦'])
def test_what_is_no_size(text):
    with pytest.raises(HakError):
        buffers.parse_size(text)


def test_buffers_shrink_until_they_fit_and_no_further():
    wanted = {'lifecycle': Buffers(MIB, 4), 'ops': Buffers(4 * MIB, 8)}
    plenty = 4 * sum(each.total() for each in wanted.values())
    assert buffers.fitting(wanted, plenty) == wanted
    less = buffers.fitting(wanted, plenty // 8)
    assert sum(each.total() for each in less.values()) <= plenty // 16
    assert less['lifecycle'] == wanted['lifecycle'], 'the dense channel gives way first'
    with pytest.raises(HakError, match='too small'):
        buffers.fitting(wanted, SMALLEST)
