"""A start or a stop may be killed at any moment: the next command finds all that it left."""

import subprocess
from pathlib import Path

import pytest
from conftest import Flight, in_shm, until
import running

KILLED_AT = Path(__file__).with_name('killed_at.py')
# Several tests share the moments, and the last one is far below.
PARTS, BEYOND = 6, 200


def killed(flight: Flight, moment: int, *command) -> bool:
    """False if hak has fewer moments than that."""
    env = flight.hak._call((), {})['env']
    done = subprocess.run([*flight.hak.prefix, '/usr/bin/python3', str(KILLED_AT), str(moment),
                           'flight', *map(str, command)], cwd=flight.hak.cwd, env=env, text=True,
                          capture_output=True, timeout=running.SECONDS, check=False)
    if done.returncode == 0:
        assert int(done.stderr.split()[-1]) < moment, done.stderr
        return False
    assert done.returncode in (-9, 137), (moment, done.stderr)
    return True


def nothing_is_left(flight: Flight, moment: int) -> None:
    assert until(lambda: not running._marked(flight.hak.mark)), f'processes, moment {moment}'
    assert not flight.shm.exists(), f'shared memory, moment {moment}'
    state = Path(flight.hak.env['HOME']) / '.local/state/hakmem/flight'
    assert {path.name for path in state.iterdir()} <= {'lock', 'snapshots'}, moment


def is_whole(flight: Flight, moment: int) -> None:
    said = flight.start().notes()   # once the watcher has found everything
    assert said[-1].startswith('hak: flight is on'), (moment, said)
    # Of all that was started twice one is there.
    assert len(running.session_daemons(flight.hak.mark)) in (0, 2), moment


@pytest.mark.parametrize('part', range(PARTS))
def test_a_start_that_is_killed_at_any_moment_leaves_nothing_to_the_next(flight, part):
    for moment in range(1 + part, BEYOND, PARTS):
        if not killed(flight, moment, 'start', '--shm', flight.shm):
            break
        is_whole(flight, moment)
        assert flight('stop').code == 0
        nothing_is_left(flight, moment)
    assert BEYOND - PARTS > moment > 40


def test_what_a_killed_start_has_left_stop_removes(flight):
    for moment in range(2, BEYOND, 4):
        if not killed(flight, moment, 'start', '--shm', flight.shm):
            break
        assert flight('stop').code == 0
        nothing_is_left(flight, moment)


@pytest.mark.parametrize('again', [False, True])
def test_a_stop_that_is_killed_at_any_moment_can_be_repeated(flight, again):
    for moment in range(1 + again, BEYOND, 2):
        flight.start()
        if not killed(flight, moment, 'stop'):
            break
        if again:
            is_whole(flight, moment)
        assert flight('stop').code == 0
        nothing_is_left(flight, moment)
    assert moment > 15


def test_in_the_user_s_daemon_a_killed_start_leaves_no_session(users_daemon):
    before = users_daemon.lttng('list')
    for flight in in_shm(users_daemon.hak):
        for moment in range(3, BEYOND, 4):
            if not killed(flight, moment, 'start', '--shm', flight.shm):
                break
            is_whole(flight, moment)
            assert flight('stop').code == 0
            nothing_is_left(flight, moment)
            assert users_daemon.lttng('list') == before
            assert users_daemon.lttng('list-triggers') == ''
