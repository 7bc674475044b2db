"""Root's flight, in a mount namespace that stands for a machine of its own."""

from collections.abc import Iterator

import pytest
from conftest import Flight, events, settled, until
import running


@pytest.fixture
def roots_flight(tmp_path, mark) -> Iterator[Flight]:
    with running.a_machine(tmp_path, mark) as hak:
        yield Flight(hak, tmp_path)
        stopped = hak('flight', 'stop')
        assert stopped.code == 0, stopped.err


def test_other_users_programs_are_seen(roots_flight):
    flight = roots_flight
    out = flight.hak.cwd / 'snapshots'
    assert flight('start', '--output', out).code == 0
    assert flight('status').code == 0
    flight.hak.prefix += ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
    try:
        program = flight.program('double_free', attached=False, HOME='/nonexistent')
    finally:
        del flight.hak.prefix[-4:]
    # setpriv has become the program.
    assert until(lambda: program.process.pid in
                 [each['pid'] for each in flight.status()['processes']])
    program.trouble()
    assert until(lambda: list(out.glob('double_free-*')))
    snapshot, = out.glob('double_free-*')
    settled(snapshot)
    assert events(snapshot, 'double_free')
    program.end()


def test_a_recording_of_root_s_finds_the_daemon(roots_flight):
    flight = roots_flight
    assert flight('start', '--output', flight.hak.cwd / 'snapshots').code == 0
    result = flight.hak('record', '-o', 'trace', '--', 'true')
    assert result.code == 0, result.err
    assert flight.status()['problems'] == []
    assert events(flight.hak.cwd / 'trace', 'process_start')
