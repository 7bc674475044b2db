"""A misuse of the heap that was recorded is in the report."""

import json

import pytest
from conftest import ROOT, events, named

MISUSE = ROOT / 'build/real/misuse'
# The program's case, the counter it raises in the report, and what the event says besides.
CASES = {
    'twice_by_two_threads': ('double_free', 'cls = 5'),
    'interior': ('invalid_free', 'NOT_A_BLOCK_START'),
    'stack': ('invalid_free', 'ON_A_STACK'),
    'variable': ('invalid_free', 'IN_A_PROGRAM_S_DATA'),
    'overflow': ('hdr_reset', 'AT_POP'),
}


@pytest.mark.parametrize('case', CASES)
def test_a_misuse_is_one_event_and_in_the_report(hak, case):
    counter, says = CASES[case]
    result = hak('record', '-o', 'trace', '--', MISUSE, case)
    assert (result.code, result.out) == (0, 'went on\n'), result.err
    recorded = named(events(hak.cwd / 'trace'), counter)
    assert len(recorded) == 1, recorded
    assert says in recorded[0], recorded
    report = hak('report', 'trace', '--json')
    assert report.code == 0, report.err
    story = json.loads(report.out)
    counted = {name: story[name] for name in ('double_free', 'invalid_free', 'hdr_reset')}
    assert counted == {**dict.fromkeys(counted, 0), counter: 1}
    assert counter in [finding['name'] for finding in story['findings']], story['findings']


def test_a_misuse_that_ends_the_program_is_recorded(hak):
    result = hak('record', '-o', 'trace', '--', MISUSE, 'twice', env={'HAKMEM_ABORT_ON_ERROR': '1'})
    assert result.code == 134, result.err
    story = json.loads(hak('report', 'trace', '--json').out)
    assert story['double_free'] == 1, story
