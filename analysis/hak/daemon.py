"""Session daemons: use the one that runs, or start one that disturbs nobody.

    who        where the daemon listens                how programs find it
    running    where the user started it               as they always do
    user       $LTTNG_HOME/.lttng, LTTNG_HOME ours     LTTNG_HOME
    root       /run/lttng, in a mount namespace of     LTTNG_HOME: its .lttng leads to
               its own, where /run is ours             our /run/lttng
    root that  /run/lttng, for everybody               as they always do
    may not
    visible    where the user would start it           as they always do

LTTng has no option that moves root's directory, hence the namespace; only the daemon and its
consumer live in it, never the recorded program. Where root may not make one (most containers)
the daemon has to be an ordinary one: recordings that share it count themselves with a lock, and
the last one stops it, unless somebody else has made a session in it meanwhile.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Callable, Optional

from hak import limits, owned, processes
from hak.errors import HakError
from hak.lttng import INSTALL, Client, environment

START_SECONDS = 60
FOLDER_BYTES = 40   # of TMPDIR; LTTng's sockets are some 60 bytes deeper
PID = 'pid'   # file of a daemon that outlives us: its pid and when it was started
STOP_SECONDS = 60
RUN = Path('/var/run').resolve()
SHARED_LOCK = RUN / 'hak-sessiond.lock'
# Makes $1 the new /run, with the directory $3 of the real one visible in it as $2.
_ENTER = '''
if [ -n "$3" ]; then mount --bind "$3" "$2" || exit; fi
mount --rbind "$1" "$4" || exit
shift 4
exec "$@"
'''


@dataclass
class Daemon:
    """A session daemon that answers. `process`: only of one that we started."""
    client: Client
    home: Optional[Path] = None              # the LTTNG_HOME that programs need to find it
    process: Optional[subprocess.Popen] = None
    folder: Optional[Path] = None            # ours, for as long as we use the daemon
    lock: Optional[IO] = None                # held while we use a shared one
    visible: bool = False                    # ours, and found by programs and tools of the user

    def ended(self) -> bool:
        """Whether it is gone, asked after a failure: a killed process first closes its sockets."""
        if self.process is None:
            return not self.client.answers()
        try:
            self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return False
        return True

    def first_error(self) -> str:
        """What our daemon or its consumer complained about first, such as a full disk."""
        if self.process is None:
            return ''
        lines = (self.folder / 'log').read_text(errors='replace').splitlines()
        # The daemon asks for more open files than it may have, and does not need them.
        errors = [line for line in lines if line.startswith(('Error: ', 'PERROR', 'mount: '))
                  and 'open files limit' not in line]
        return errors[0].removeprefix('Error: ') if errors else ''

    def close(self) -> None:
        """Stops what we started and leaves nothing behind; a daemon of others stays."""
        try:
            if self.lock is not None:
                _leave_shared(self)
            elif self.process is not None and not (self.visible and self._in_use()):
                processes.end_session(self.process.pid, STOP_SECONDS)
            if self.process is not None:
                self.process.poll()  # reaps it
        finally:
            if self.folder is not None:
                _discard(self.folder)
            drop_unused_rendezvous()

    def _in_use(self) -> bool:
        """Has somebody found it useful, and made a session in it?"""
        return self.client.answers() and bool(self.client.sessions())


def reachable() -> bool:
    """Does the `lttng` tool of this user reach a daemon?"""
    return Client((_tool('lttng'), '--no-sessiond'), environment()).answers()


def running() -> Optional[Daemon]:
    """The daemon that the `lttng` tool of this user reaches, if there is one."""
    if not reachable():
        return None
    lock = _shared_lock() if os.geteuid() == 0 and SHARED_LOCK.exists() else None
    folder = _new_folder()
    daemon = Daemon(_users_client(folder), folder=folder, lock=lock)
    if not daemon.client.answers():  # a shared one that was stopped before we had the lock
        daemon.close()
        return None
    return daemon


@contextlib.contextmanager
def visited() -> Iterator[Optional[Client]]:
    """The running daemon's client for a command or two, None without one. It is not kept from
    being stopped by others meanwhile."""
    folder = _new_folder()
    try:
        client = _users_client(folder)
        yield client if client.answers() else None
    finally:
        _discard(folder)


def start_lasting(folder: Path) -> None:
    """An ordinary daemon that outlives us, where every program of the user looks for one.

    `folder`, in one that is ours, is made anew for its log and for a file PID that says which
    process it is, before it is one; it must not go before the daemon does.
    """
    owned.remove_tree(folder)
    folder.mkdir(mode=0o700)
    root = os.geteuid() == 0
    with _turn() if root else contextlib.nullcontext(), visited() as client:
        if client is not None:
            raise HakError('a session daemon was started by somebody else meanwhile',
                           'try again')
        sockets = RUN / 'lttng' if root else users_home() / '.lttng'
        daemon = Daemon(Client((), {}), folder=folder)
        _launch(daemon, [_tool('lttng-sessiond')], sockets, home=users_home(),
                note=(folder / PID).write_text)


def stop_lasting(pid: int, folder: Path) -> None:
    processes.end_session(pid, STOP_SECONDS)
    owned.remove_tree(folder)
    drop_unused_rendezvous()


def start_visible() -> Daemon:
    """A daemon that every program of the user finds, for as long as we need it, or the one that
    was started meanwhile. When we close it while others have sessions in it, it stays."""
    root = os.geteuid() == 0
    with _turn() if root else contextlib.nullcontext():
        if found := running():
            return found
        folder = _new_folder()
        daemon = Daemon(_users_client(folder), folder=folder, visible=True)
        sockets = RUN / 'lttng' if root else users_home() / '.lttng'
        return _launch(daemon, [_tool('lttng-sessiond')], sockets, home=users_home())


def find_or_start(output: Path, private: bool = False) -> Daemon:
    """A daemon that can write into `output`; `private`: not one that others may use."""
    if not private and (daemon := running()):
        return daemon
    program = _tool('lttng-sessiond')
    if os.geteuid() != 0:
        return _start_for_user(program)
    if _may_make_namespaces():
        return _start_for_root(program, output)
    if private:
        raise HakError('root needs CAP_SYS_ADMIN for a private session daemon',
                       'record without --private')
    return _join_shared(program)


def _start_for_user(program: str) -> Daemon:
    folder = _new_folder()
    client = Client((_tool('lttng'), '--no-sessiond'), environment(folder))
    daemon = Daemon(client, folder, folder=folder)
    return _launch(daemon, [program], folder / '.lttng', dies_with_us=True)


def _start_for_root(program: str, output: Path) -> Daemon:
    folder = _new_folder()
    # Recorded programs may have changed their user before they exec another one that is to be
    # recorded too. They need to get at the socket, and no more.
    folder.chmod(0o711)
    run = folder / 'run'
    run.mkdir()
    (folder / '.lttng').symlink_to('run/lttng')
    seen_as, real = '', ''
    if output.resolve().is_relative_to(RUN):
        real = str(output.resolve())
        seen_as = str(run / output.resolve().relative_to(RUN))
        Path(seen_as).mkdir(parents=True)
    enter = ['unshare', '--mount', '--propagation', 'slave', 'sh', '-c', _ENTER, 'sh',
             str(run), seen_as, real, str(RUN)]
    daemon = Daemon(Client((), {}), folder, folder=folder)
    _launch(daemon, [*enter, program], run / 'lttng', dies_with_us=True)
    daemon.client = Client(('nsenter', f'--target={daemon.process.pid}', '--mount',
                            _tool('lttng'), '--no-sessiond'), environment(folder))
    return daemon


def _launch(daemon: Daemon, command: list[str], sockets: Path, dies_with_us=False,
            home: Optional[Path] = None, note: Optional[Callable[[str], object]] = None) -> Daemon:
    """Starts the daemon and returns when it answers. `note`: is told its pid, and when it was
    started, before it runs."""
    empty = daemon.folder / 'empty'
    empty.mkdir()
    # --load: the user's saved sessions are for the user's daemon. A session of its own, since
    # Ctrl-C is not meant for it; but it must not outlive a hak that is killed.
    prefix = ['setpriv', '--pdeathsig', 'TERM'] if dies_with_us else []
    command = [*prefix, *command, '--no-kernel', f'--load={empty}']
    with open(daemon.folder / 'log', 'wb') as log:
        options = {'stdout': log, 'stderr': log, 'cwd': '/', 'preexec_fn': _unburden,
                   'env': {**environment(home or daemon.folder), **limits.thrifty()}}
        try:
            if note:
                daemon.process = processes.start_noted(
                    command, lambda pid: note(f'{pid} {processes.started(pid)}'), **options)
            else:
                daemon.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                                  start_new_session=True, **options)
            _await_answer(daemon, sockets / 'client-lttng-sessiond')
        except BaseException:
            daemon.close()
            raise
    return daemon


def _unburden() -> None:
    """In the daemon, before exec: what is meant for the program, or held back by us, is not
    for it."""
    limits.lift()
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def _await_answer(daemon: Daemon, path: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if daemon.process.poll() is not None:
            why = daemon.first_error() or f'exit code {daemon.process.returncode}'
            raise HakError(f'the session daemon did not start: {why}',
                           limits.for_the_program_alone() or 'see `hak doctor`')
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
                return
            except OSError:
                time.sleep(0.01)
    raise HakError(f'the session daemon did not answer in {START_SECONDS} s', 'see `hak doctor`')


def _join_shared(program: str) -> Daemon:
    """Starts the one ordinary daemon that this root can have, or uses another recording's."""
    with _turn():
        daemon = running()  # perhaps another recording was faster
        if daemon is not None:
            return daemon
        lock = _shared_lock()
        try:
            folder = _new_folder()
            client = Client((_tool('lttng'), '--no-sessiond'), environment(folder))
            daemon = Daemon(client, folder=folder)
            _launch(daemon, [program], RUN / 'lttng', note=lambda text: _note(lock, text))
        except BaseException:
            lock.close()
            raise
        daemon.lock = lock
        return daemon


def _note(lock: IO, text: str) -> None:
    lock.truncate(0)
    lock.write(text)
    lock.flush()


def _leave_shared(daemon: Daemon) -> None:
    daemon.lock.close()
    with open(SHARED_LOCK, 'a+', encoding='ascii') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return  # another recording uses it and will stop it
        lock.seek(0)
        pid, _, started = lock.read().partition(' ')
        if pid.isdecimal() and started != '0' and str(processes.started(int(pid))) == started:
            if daemon._in_use():
                return
            processes.end_session(int(pid), STOP_SECONDS)
        SHARED_LOCK.unlink()


def _shared_lock() -> IO:
    """Says that we use the shared daemon, until it is closed."""
    while True:
        lock = open(SHARED_LOCK, 'a+', encoding='ascii')
        fcntl.flock(lock, fcntl.LOCK_SH)
        # Who stops the daemon removes the file: what we have locked may be gone by now.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock.fileno()), SHARED_LOCK.stat()):
                return lock
        lock.close()


@contextlib.contextmanager
def _turn() -> Iterator[None]:
    """One recording at a time: two daemons that start at once are hard to tell apart."""
    folder = os.open(RUN, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _may_make_namespaces() -> bool:
    try:
        return subprocess.run(['unshare', '--mount', '--propagation', 'slave',
                               'mount', '--bind', str(RUN), str(RUN)],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=10,
                              check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise HakError(f'{name} is missing', INSTALL)
    return path


def _users_client(folder: Path) -> Client:
    """The tool keeps the name of the user's current session in LTTNG_HOME, and would replace it
    by ours: it gets `folder` for a home that leads to the same sockets."""
    (folder / '.lttng').symlink_to(users_home() / '.lttng')
    return Client((_tool('lttng'), '--no-sessiond'), environment(folder))


def users_home() -> Path:
    """Where LTTng looks for what is the user's."""
    try:
        return Path(os.environ.get('LTTNG_HOME') or Path.home())
    except RuntimeError:
        raise HakError('you have no home', 'set HOME, or LTTNG_HOME') from None


def folders() -> Path:
    """Where ours are: TMPDIR, if the path of a Unix socket, which has at most 107 bytes, has room
    behind it and nobody else can exchange what is in it; else /tmp, if it can be written to."""
    chosen = tempfile.gettempdir()
    with contextlib.suppress(OSError):
        info = os.stat(chosen)
        safe = info.st_uid in (0, os.geteuid()) and (info.st_mode & stat.S_ISVTX or
                                                     not info.st_mode & 0o022)
        if safe and len(os.fsencode(chosen)) <= FOLDER_BYTES:
            return Path(chosen)
    return Path('/tmp' if os.access('/tmp', os.W_OK | os.X_OK) else chosen)


# Locked for as long as we use them, so that the next hak sees which are left of one that was killed.
_held: dict[Path, int] = {}


def _new_folder() -> Path:
    if not _held:
        _sweep_folders()
    try:
        while True:
            path = folders() / f'hak-{secrets.token_hex(4)}'
            with contextlib.suppress(FileExistsError):
                # It cannot be written to before it is locked, by which _sweep_folders knows it.
                path.mkdir(mode=0o500)
                break
        _held[path] = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        fcntl.flock(_held[path], fcntl.LOCK_EX)
        os.fchmod(_held[path], 0o700)
    except OSError as error:
        raise HakError(f'no directory for the session daemon: {error.strerror}',
                       'make /tmp writable') from None
    return path


def _discard(folder: Path) -> None:
    owned.remove_tree(folder)
    if folder in _held:
        os.close(_held.pop(folder))


def _sweep_folders() -> None:
    """Removes those that nobody holds."""
    for path in folders().glob('hak-' + '[0-9a-f]' * 8):
        with contextlib.suppress(OSError):
            info = path.lstat()
            being_made = not info.st_mode & stat.S_IWUSR and time.time() - info.st_mtime < 60
            if info.st_uid != os.geteuid() or being_made:
                continue
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                owned.remove_tree(path)
            finally:
                os.close(handle)


def drop_unused_rendezvous() -> None:
    """Removes the files in /dev/shm on which programs wait for a daemon, where none waits.

    Every program that loads LTTng-UST makes them and none removes them.
    """
    names = ('lttng-ust-wait-8', f'lttng-ust-wait-8-{os.geteuid()}')
    for path in (Path('/dev/shm') / name for name in names):
        try:
            if path.lstat().st_uid == os.geteuid() and not processes.mapped(path):
                path.unlink()
        except OSError:
            continue
