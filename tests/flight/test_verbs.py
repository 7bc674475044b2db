"""hak flight start, status, dump and stop: what they say, set up and leave."""

import json
import os
import re
import signal
import subprocess

import pytest
from conftest import events, in_shm, until
import running
from running import SECONDS


def processes(mark: str) -> list[int]:
    return running._marked(mark)


def test_round_trip(flight):
    assert flight.status() == {'state': 'off', 'code': 1}
    flight.start()
    status = flight.status()
    assert (status['state'], status['code'], status['problems']) == ('on', 0, [])
    assert status['session']['own_daemon'] and status['session']['active']
    assert all(trigger['armed'] for trigger in status['triggers']), status['triggers']

    program = flight.program('double_free')
    path = flight.dump()
    assert events(path, 'process_start') and events(path, 'superslab_map')
    assert f'pid = {program.pid()}' in events(path, 'process_start')[0]
    assert [path] == flight.snapshots('dump')
    assert flight.status()['shm']['bytes'] > 0

    program.end()
    result = flight('stop')
    assert (result.code, result.out) == (0, ''), result.err
    assert flight.status()['state'] == 'off'
    assert [path] == flight.snapshots()
    assert until(lambda: not processes(flight.hak.mark)), 'processes are left'
    assert not flight.shm.exists()


def test_what_is_said_for_people(flight):
    flight.start('--keep', 7)
    program = flight.program('double_free')
    flight.dump('mine')
    lines = flight('status').out.splitlines()
    assert lines[0].startswith('flight is on since ')
    text = '\n'.join(lines)
    assert f'trouble ({program.pid()})' in text
    assert re.search(r'trigger +double_free +armed$', text, re.MULTILINE)
    assert re.search(r'snapshots +1 of at most 7, .* KiB of at most 256.0 MiB, in /', text)
    assert re.search(r'^ +mine-\d{8}-\d{6}-\d+, .* KiB, mine$', text, re.MULTILINE)


def test_start_and_stop_twice(flight):
    flight.start('--every', 9)
    first = flight.state()
    again = flight.start('--every', 9)
    assert again.notes() == ['hak: flight is on already']
    assert flight('start').code == 0
    assert flight.state() == first
    other = flight('start', '--every', 10)
    assert other.code == 2
    assert other.err == ('hak: flight is on with every 9.0: to change that, run `hak flight '
                         'stop` first\n')
    assert flight('stop').code == 0
    assert flight('stop').notes() == ['hak: flight is off already']


def test_dump_elsewhere_is_not_rotated(flight):
    flight.start('--keep', 1)
    flight.program('double_free')
    kept = flight.dump('-o', 'elsewhere')
    assert kept.parent == flight.hak.cwd / 'elsewhere'
    newest = [flight.dump() for _ in range(3)][-1]
    assert until(lambda: flight.snapshots() == [newest])
    assert events(kept)


def test_dump_without_programs_or_flight(flight):
    result = flight('dump')
    assert result.code == 3
    assert result.err == 'hak: flight is off: run `hak flight start`\n'
    flight.start()
    result = flight('dump')
    assert result.code == 3, result.out
    assert 'the snapshot is empty' in result.err
    assert flight.snapshots() == []


@pytest.mark.parametrize('args', [
    [], ['fly'], ['start', 'now'], ['start', '--keep', '0'], ['start', '--keep', 'many'],
    ['start', '--max-size', '-1'], ['start', '--every', '0.1'], ['start', '--every', 'nan'],
    ['start', '--buffer-size', '3'], ['status', '--quick'], ['dump', '../x'], ['dump', 'oom'],
    ['dump', 'a', 'b'], ['stop', '--now']], ids=' '.join)
def test_wrong_usage(user_hak, args):
    result = user_hak('flight', *args)
    assert result.code == 2, result.err
    assert result.out == '' and len(result.err.splitlines()) == 1
    assert result.err.startswith('hak: ')


def test_places_that_cannot_be_used(flight):
    (flight.hak.cwd / 'file').touch()
    for option in ('--output', '--shm'):
        result = flight('start', option, 'file/below')
        assert result.code == 3
        assert len(result.notes()) == 1 and f'name another with {option}' in result.err
    assert flight.status()['state'] == 'off'
    assert until(lambda: not processes(flight.hak.mark)), 'a failed start leaves processes'


def test_the_user_s_daemon_is_used_and_left_alone(users_daemon):
    for flight in in_shm(users_daemon.hak):
        before = users_daemon.lttng('list')
        flight.start()
        assert not flight.status()['session']['own_daemon']
        program = flight.program('double_free')
        program.trouble()
        assert until(lambda: flight.snapshots('double_free'))
        program.end()
        assert flight('stop').code == 0
        assert users_daemon.lttng('list') == before
        assert users_daemon.lttng('list-triggers') == ''
        assert users_daemon.process.poll() is None


def test_a_daemon_that_others_use_stays(flight):
    flight.start()
    pid = flight.daemon()
    env = {**os.environ, **{key: value for key, value in flight.hak.env.items() if value}}

    def run(*args):
        subprocess.run([*flight.hak.prefix, 'lttng', '--no-sessiond', *args], env=env,
                       check=True, timeout=SECONDS, stdout=subprocess.DEVNULL)

    run('create', 'other', f'--output={flight.hak.cwd}/other')
    try:
        assert flight('stop').code == 0
        assert flight.status()['state'] == 'off'
        run('list', 'other')
    finally:
        os.kill(pid, signal.SIGTERM)
    assert until(lambda: not processes(flight.hak.mark))


def test_a_recording_beside_it(flight):
    """hak record finds flight's daemon, and leaves it running."""
    flight.start()
    result = flight.hak('record', '-o', 'trace', '--', 'true')
    assert result.code == 0, result.err
    assert events(flight.hak.cwd / 'trace', 'process_start')
    assert flight.status()['problems'] == []


def test_environment_of_services_and_containers(user_hak):
    given = json.loads(user_hak('env', '--json', env={'LD_PRELOAD': None}).out)
    assert given['HAKMEM_TRACE'] == '1'
    unit = user_hak('env', '--systemd', env={'LD_PRELOAD': None}).out.splitlines()
    assert unit == ['[Service]', *(f'Environment="{key}={value}"'
                                   for key, value in given.items())]
    options = user_hak('env', '--docker', env={'LD_PRELOAD': None}).out.split()
    assert {'--pid=host', '--ipc=host', f'LD_PRELOAD={given["LD_PRELOAD"]}'} <= set(options)
    home = user_hak.env['HOME']
    assert f'{home}/.lttng:{home}/.lttng' in options
