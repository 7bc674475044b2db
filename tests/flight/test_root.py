"""Root's flight, in a mount namespace that stands for a machine of its own."""

import os
import subprocess
from collections.abc import Iterator

import pytest
from conftest import Flight, events, settled, until
import running
from running import SECONDS

# /run, /dev/shm and root's state are this machine's own.
MACHINE = '''
for place in /run /dev/shm /var/lib; do mount -t tmpfs none $place || exit; done
echo up
exec cat
'''


@pytest.fixture
def roots_flight(tmp_path, mark) -> Iterator[Flight]:
    if os.geteuid() != 0:
        pytest.skip('only root can make a namespace')
    machine = subprocess.Popen(['unshare', '--mount', 'sh', '-c', MACHINE], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if machine.stdout.readline() != 'up\n':
            pytest.skip('root may not make a mount namespace here')
        hak = running.Hak(tmp_path, mark, ['nsenter', f'--target={machine.pid}', '--mount',
                                             f'--wd={tmp_path}'], {'LTTNG_HOME': None})
        yield Flight(hak, tmp_path)
        stopped = hak('flight', 'stop')
        assert stopped.code == 0, stopped.err
    finally:
        machine.stdin.close()
        machine.wait(timeout=SECONDS)


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
