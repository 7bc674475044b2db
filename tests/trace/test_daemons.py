"""Which session daemon hak record uses, and that it harms none."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from conftest import events, named, session_daemons, until
from running import SECONDS, folder_of

WAITS = 'echo ready; read line; echo through'


def of_root(test):
    """Of the one daemon that root's programs everywhere would find."""
    owner = pytest.mark.skipif(os.geteuid() != 0, reason="root's daemon is root's business")
    return pytest.mark.alone(owner(test))


def start_and_wait(hak, *options, **more) -> subprocess.Popen:
    """A recording whose program waits for a line on stdin."""
    running = hak.start('record', '-o', 'trace', *options, '--', 'sh', '-c', WAITS,
                        stdin=subprocess.PIPE, **more)
    assert running.stdout.readline() == 'ready\n', running.stderr.read()
    return running


def finish(running: subprocess.Popen) -> tuple[str, str]:
    out, err = running.communicate('\n', timeout=SECONDS)
    assert (out, running.returncode) == ('through\n', 0), err
    return out, err


def test_without_a_daemon_one_is_started_and_stopped(user_hak):
    running = start_and_wait(user_hak)
    daemons = session_daemons(user_hak.mark)
    assert daemons, 'no session daemon of our own'
    finish(running)
    assert until(lambda: not session_daemons(user_hak.mark))
    assert named(events(user_hak.cwd / 'trace'), 'process_start')


@pytest.mark.alone  # looks at all of /dev/shm
def test_a_private_daemon_leaves_no_files(user_hak):
    before = set(os.listdir('/dev/shm'))
    result = user_hak('record', '-o', 'trace', '--', 'true')
    assert result.code == 0, result.err
    assert set(os.listdir('/dev/shm')) <= before
    assert list(Path(user_hak.env['HOME']).iterdir()) == []


def test_the_user_s_daemon_is_used_and_its_session_survives(users_daemon):
    hak = users_daemon.hak
    before = users_daemon.lttng('list')
    current = (Path(hak.env['HOME']) / '.lttngrc').read_text()
    running = start_and_wait(hak)
    assert not session_daemons(hak.mark), 'started a daemon although one runs'
    assert 'hak-sh-' in users_daemon.lttng('list')
    finish(running)
    assert named(events(hak.cwd / 'trace'), 'process_start')
    assert users_daemon.lttng('list') == before
    assert (Path(hak.env['HOME']) / '.lttngrc').read_text() == current
    assert f'{users_daemon.session}: [active]' in users_daemon.lttng(
        'list', users_daemon.session)
    # It records the same program, undisturbed.
    users_daemon.lttng('stop', users_daemon.session)
    assert named(events(hak.cwd / 'theirs'), 'process_start')


def test_a_session_can_be_named_but_not_taken_over(users_daemon):
    result = users_daemon.hak('record', '-o', 'trace', '--session', users_daemon.session, '--',
                              'true')
    assert result.code == 3
    assert 'already exists' in result.err
    assert not (users_daemon.hak.cwd / 'trace').exists()
    assert users_daemon.session in users_daemon.lttng('list')
    result = users_daemon.hak('record', '-o', 'trace', '--session', 'mine', '--', 'true')
    assert result.code == 0, result.err


def test_a_private_daemon_although_the_user_s_runs(users_daemon):
    running = start_and_wait(users_daemon.hak, '--private')
    assert session_daemons(users_daemon.hak.mark)
    finish(running)
    assert named(events(users_daemon.hak.cwd / 'trace'), 'process_start')


def test_two_recordings_share_the_user_s_daemon(users_daemon):
    hak = users_daemon.hak
    both = [hak.start('record', '-o', f'trace{number}', '--', 'sh', '-c', f'sleep {number}')
            for number in (1, 2)]
    for running in both:
        _, err = running.communicate(timeout=SECONDS)
        assert running.returncode == 0, err
    for number in (1, 2):
        assert named(events(hak.cwd / f'trace{number}'), 'process_start')


def test_a_daemon_that_is_killed_does_not_harm_the_program(user_hak):
    running = start_and_wait(user_hak)
    for pid in session_daemons(user_hak.mark):
        os.kill(pid, signal.SIGKILL)
    _, err = finish(running)
    assert 'incomplete' in err and 'session daemon ended' in err, err
    assert (user_hak.cwd / 'trace').is_dir()


def test_what_a_killed_daemon_had_written_is_kept(user_hak):
    running = start_and_wait(user_hak)
    data = user_hak.cwd / 'trace'
    # Buffers are written every second.
    assert until(lambda: _readable(data))
    for pid in session_daemons(user_hak.mark):
        os.kill(pid, signal.SIGKILL)
    _, err = finish(running)
    assert 'incomplete' in err and 'recorded trace' in err, err
    assert named(events(data), 'process_start')


def _readable(trace: Path) -> bool:
    done = subprocess.run(['babeltrace2', trace], capture_output=True, text=True, timeout=SECONDS,
                          check=False)
    return done.returncode == 0 and 'process_start' in done.stdout


def test_the_user_s_daemon_killed_in_mid_recording(users_daemon):
    running = start_and_wait(users_daemon.hak)
    os.kill(users_daemon.pid(), signal.SIGKILL)
    _, err = finish(running)
    assert 'incomplete' in err, err


def test_a_daemon_that_hangs_holds_nobody_up_for_ever(users_daemon):
    os.kill(users_daemon.pid(), signal.SIGSTOP)
    try:
        result = users_daemon.hak('record', '-o', 'trace', '--', 'true')
        assert result.code == 0, result.err
        assert named(events(users_daemon.hak.cwd / 'trace'), 'process_start')
    finally:
        os.kill(users_daemon.pid(), signal.SIGCONT)
        users_daemon.process.send_signal(signal.SIGCONT)  # runuser stops with what it runs


def test_hak_killed_takes_its_daemon_with_it(user_hak):
    running = start_and_wait(user_hak)
    hak_pid = _hak_pid(running)
    folders = [*folder_of(user_hak.mark).glob('hak-????????')]
    assert folders
    os.kill(hak_pid, signal.SIGKILL)
    try:
        assert until(lambda: not session_daemons(user_hak.mark))
    finally:
        running.communicate('\n', timeout=SECONDS)
        for folder in folders:  # nobody is left to do it
            shutil.rmtree(folder)


def _hak_pid(running: subprocess.Popen) -> int:
    """The hak behind runuser, if there is one."""
    for pid in [running.pid, *_children(running.pid)]:
        words = Path(f'/proc/{pid}/cmdline').read_bytes().split(b'\0')
        if words[0].endswith(b'python3') and words[1].endswith(b'scripts/hak'):
            return pid
    raise AssertionError('hak does not run')


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]


@of_root
def test_root_s_daemon_is_private_where_it_may_be(hak):
    if _root_daemon_runs():
        pytest.skip("root's daemon runs already")
    running = start_and_wait(hak)
    assert session_daemons(hak.mark)
    assert not _root_daemon_runs(), 'the daemon is visible to everybody'
    finish(running)
    assert named(events(hak.cwd / 'trace'), 'process_start')


@of_root
def test_root_without_namespaces_shares_one_daemon(hak):
    """As in most containers, where root lacks CAP_SYS_ADMIN."""
    if _root_daemon_runs():
        pytest.skip("root's daemon runs already")
    hak.prefix = ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin', '--']
    both = [hak.start('record', '-o', f'trace{number}', '--', 'sh', '-c', f'sleep {number}')
            for number in (1, 2)]
    assert until(_root_daemon_runs)
    # A daemon has one helper process; a consumer daemon bears its name until it runs exec.
    assert until(lambda: len(session_daemons(hak.mark)) <= 2), 'more than one daemon'
    for running in both:
        _, err = running.communicate(timeout=SECONDS)
        assert running.returncode == 0, err
    for number in (1, 2):
        assert named(events(hak.cwd / f'trace{number}'), 'process_start')
    assert not session_daemons(hak.mark), 'the shared daemon was left running'
    assert not Path('/run/hak-sessiond.lock').exists()


@of_root
def test_a_shared_daemon_stays_for_others_who_use_it(hak):
    if _root_daemon_runs():
        pytest.skip("root's daemon runs already")
    hak.prefix = ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin', '--']
    running = start_and_wait(hak)
    _lttng('create', 'not-haks', f'--output={hak.cwd}/theirs')
    try:
        finish(running)
        assert 'not-haks' in _lttng('list')
        _lttng('destroy', 'not-haks')
        # The next recording finds it of no use to anybody and stops it.
        assert hak('record', '-o', 'trace2', '--', 'true').code == 0
        assert not session_daemons(hak.mark)
    finally:
        if _root_daemon_runs():
            os.kill(int(Path('/run/lttng/lttng-sessiond.pid').read_text()), signal.SIGTERM)
            assert until(lambda: not _root_daemon_runs())


@of_root
def test_root_s_running_daemon_is_used(hak):
    started = None
    if not _root_daemon_runs():
        started = subprocess.Popen(['lttng-sessiond', '--no-kernel'], cwd='/',
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
        assert until(_root_daemon_runs)
    try:
        before = _lttng('list')
        home = hak.cwd / 'home'
        home.mkdir()
        running = start_and_wait(hak, env={'HOME': str(home), 'LTTNG_HOME': None})
        assert not session_daemons(hak.mark), 'started a daemon although one runs'
        finish(running)
        assert named(events(hak.cwd / 'trace'), 'process_start')
        assert _lttng('list') == before
        assert list(home.iterdir()) == []
    finally:
        if started:
            started.terminate()
            started.wait(SECONDS)


def _root_daemon_runs() -> bool:
    return subprocess.run(['lttng', '--no-sessiond', 'list'], capture_output=True, timeout=SECONDS,
                          check=False).returncode == 0


def _lttng(*args: str) -> str:
    return subprocess.run(['lttng', '--no-sessiond', *args], capture_output=True, text=True,
                          timeout=SECONDS, check=True).stdout


@pytest.mark.parametrize('missing', ['lttng', 'lttng-sessiond'])
def test_lttng_s_tools_absent_from_path(hak, tmp_path, missing):
    if missing == 'lttng-sessiond' and _root_daemon_runs():
        pytest.skip('a daemon runs, so none needs to be started')
    tools = tmp_path / 'bin'
    tools.mkdir()
    for folder in ('/usr/bin', '/bin', '/usr/sbin', '/sbin'):
        for path in Path(folder).iterdir():
            if path.name != missing and not (tools / path.name).exists():
                (tools / path.name).symlink_to(path)
    result = hak('record', '-o', 'trace', '--', 'true', env={'PATH': str(tools)})
    assert result.code == 3
    assert result.err == f'hak: {missing} is missing: apt-get install lttng-tools\n'
    assert not (tmp_path / 'trace').exists()
