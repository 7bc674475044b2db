"""Running hak as its users do, and seeing what it leaves behind."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import pytest

ROOT = Path(__file__).resolve().parents[1]
HAK = ROOT / 'scripts' / 'hak'
LIBRARY = ROOT / 'build/trace/libhakmem.so'
MARK = 'HAK_TEST_MARK'
# Seconds after which what has not come about hangs. Slow is another thing: on a machine that does
# nothing else the longest takes a tenth of it.
SECONDS = 300

sys.path.insert(0, str(ROOT / 'analysis'))


@dataclass
class Result:
    code: int
    out: str
    err: str

    def notes(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith('hak: ')]


@dataclass
class Hak:
    """Runs hak in a directory; `prefix` and `env` change who runs it and how."""
    cwd: Path
    mark: str
    prefix: list[str] = field(default_factory=list)
    env: dict[str, Optional[str]] = field(default_factory=dict)

    def __call__(self, *args, **options) -> Result:
        done = subprocess.run(**self._call(args, options), capture_output=True, timeout=SECONDS,
                              check=False)
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *args, **options) -> subprocess.Popen:
        options.setdefault('stderr', subprocess.PIPE)
        return subprocess.Popen(**self._call(args, options), stdout=subprocess.PIPE)

    def _call(self, args, options) -> dict:
        changed = {'TMPDIR': str(folder_of(self.mark)), **self.env, **options.pop('env', {}),
                   MARK: self.mark}
        env = {key: value for key, value in {**os.environ, **changed}.items()
               if value is not None}
        options.setdefault('stdin', subprocess.DEVNULL)
        return {'args': [*self.prefix, str(HAK), *map(str, args)], 'cwd': self.cwd, 'env': env,
                'text': True, 'errors': 'surrogateescape', **options}

    def launch(self, *argv, **options) -> subprocess.Popen:
        """A program on hakmem that something else than hak starts. `env`: what it gets besides."""
        env = {**os.environ, 'HAKMEM_TRACE': '1', **self.env, **options.pop('env', {})}
        env = {key: value for key, value in env.items() if value is not None}
        # env sets LD_PRELOAD last, so that runuser itself runs without.
        return subprocess.Popen(
            [*self.prefix, 'env', f'LD_PRELOAD={LIBRARY}', *map(str, argv)], env=env,
            cwd=self.cwd, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)


@contextlib.contextmanager
def marked() -> Iterator[str]:
    """In the environment of everything that is started within: nothing marked may outlive it."""
    value = uuid.uuid4().hex
    folder = folder_of(value)
    folder.mkdir()
    folder.chmod(0o1777)
    yield value
    left = until(lambda: not _marked(value))
    processes = _marked(value)
    for pid in processes:
        os.kill(pid, signal.SIGKILL)
    assert left, f'processes left behind: {processes}'
    names = [path.name for path in folder.glob('hak-????????')]
    shutil.rmtree(folder, ignore_errors=True)
    assert not names, f'left: {names}'


def folder_of(mark: str) -> Path:
    """Where hak makes its folders: nobody else's are there."""
    return Path(f'/tmp/hak-test-{mark[:8]}')


@pytest.fixture
def mark() -> Iterator[str]:
    with marked() as value:
        yield value


@pytest.fixture
def hak(tmp_path, mark) -> Hak:
    return Hak(tmp_path, mark)


@contextlib.contextmanager
def a_user(mark: str) -> Iterator[Hak]:
    """hak run by an ordinary user, in a directory and with a home of its own."""
    folder = Path(tempfile.mkdtemp(prefix='hak-test-user-'))
    home = folder / 'home'
    home.mkdir()
    prefix = []
    if os.geteuid() == 0:
        if shutil.which('runuser') is None:
            pytest.skip('runuser is missing')
        shutil.chown(folder, 'nobody')
        shutil.chown(home, 'nobody')
        prefix = ['runuser', '-u', 'nobody', '--', 'env', f'HOME={home}']
    yield Hak(folder, mark, prefix, {'HOME': str(home), 'LTTNG_HOME': None})
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def user_hak(mark) -> Iterator[Hak]:
    with a_user(mark) as hak:
        yield hak


# /run, /dev/shm and root's state are this machine's own.
MACHINE = '''
for place in /run /dev/shm /var/lib; do mount -t tmpfs none $place || exit; done
chmod 1777 /dev/shm
echo up
exec cat
'''


@contextlib.contextmanager
def a_machine(cwd: Path, mark: str) -> Iterator[Hak]:
    """hak run by root, in a mount namespace that stands for a machine of its own."""
    if os.geteuid() != 0:
        pytest.skip('only root can make a namespace')
    machine = subprocess.Popen(['unshare', '--mount', 'sh', '-c', MACHINE], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if machine.stdout.readline() != 'up\n':
            pytest.skip('root may not make a mount namespace here')
        yield Hak(cwd, mark, ['nsenter', f'--target={machine.pid}', '--mount', f'--wd={cwd}'],
                  {'LTTNG_HOME': None})
    finally:
        machine.stdin.close()
        machine.wait(timeout=SECONDS)


def as_user(uid: int) -> list[str]:
    """What precedes a command that root runs as this user, of whom nothing is known."""
    return ['setpriv', f'--reuid={uid}', f'--regid={uid}', '--clear-groups']


@dataclass
class UsersDaemon:
    """A session daemon that is not hak's."""
    hak: Hak
    process: subprocess.Popen
    session: str = 'not-haks'

    def lttng(self, *args: str) -> str:
        done = self._run(*args)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def answers(self) -> bool:
        return self._run('list').returncode == 0

    def _run(self, *args: str) -> subprocess.CompletedProcess:
        return subprocess.run([*self.hak.prefix, 'lttng', '--no-sessiond', *args],
                              env={**os.environ, 'HOME': self.hak.env['HOME']},
                              capture_output=True, text=True, timeout=SECONDS, check=False)

    def pid(self) -> int:
        return int((Path(self.hak.env['HOME']) / '.lttng/lttng-sessiond.pid').read_text())


@contextlib.contextmanager
def a_daemon(hak: Hak) -> Iterator[UsersDaemon]:
    # Not marked: it is the user's and outlives what hak does.
    env = {**os.environ, 'HOME': hak.env['HOME']}
    env.pop('LTTNG_HOME', None)
    process = subprocess.Popen([*hak.prefix, 'lttng-sessiond', '--no-kernel'], env=env,
                               cwd='/', stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    daemon = UsersDaemon(hak, process)
    assert until(daemon.answers), 'the session daemon did not start'
    try:
        yield daemon
    finally:
        _end(daemon)


@pytest.fixture
def users_daemon(user_hak) -> Iterator[UsersDaemon]:
    """One with a recording session of its own that runs."""
    with a_daemon(user_hak) as daemon:
        daemon.lttng('create', daemon.session, f'--output={user_hak.cwd}/theirs')
        daemon.lttng('enable-event', '--userspace', '--session', daemon.session, 'hakmem:*')
        daemon.lttng('start', daemon.session)
        yield daemon


def _end(daemon: UsersDaemon) -> None:
    if daemon.process.poll() is None:
        os.kill(daemon.pid(), signal.SIGTERM)
    assert until(lambda: daemon.process.poll() is not None), 'the user\'s daemon does not end'


def events(trace: Path) -> list[str]:
    """The trace as babeltrace2 prints it, one event a line."""
    done = subprocess.run(['babeltrace2', str(trace)], capture_output=True, text=True,
                          timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if 'hakmem:' in line]


def named(lines: list[str], event: str) -> list[str]:
    return [line for line in lines if f' hakmem:{event}:' in line]


def session_daemons(mark: str) -> list[int]:
    return [pid for pid in _marked(mark) if b'lttng-sessiond' in _proc(pid, 'cmdline')]


def until(condition, seconds: float = SECONDS) -> bool:
    """Waits for an event. With less than SECONDS: looks whether it comes about, which it may not."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _marked(mark: str) -> list[int]:
    needle = f'{MARK}={mark}'.encode()
    return [int(name) for name in os.listdir('/proc') if name.isdigit()
            and needle in _proc(int(name), 'environ')]


def _proc(pid: int, name: str) -> bytes:
    try:
        return Path(f'/proc/{pid}/{name}').read_bytes()
    except OSError:
        return b''
