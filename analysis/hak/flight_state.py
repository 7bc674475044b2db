"""What flight remembers between commands: a folder for each user.

    state.json   what `start` has set up; it is there while flight is on
    watch.json   what the watcher has seen and done
    sessiond/    the log of a session daemon that `start` has started
    watch.log    what the watcher said before it died
    snapshots/   unless --output names another place
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Optional

from hak import processes
from hak.errors import HakError

# Seconds: the longest that another `hak flight` command can take is far below.
TURN_SECONDS = 60
# Of each stream: one for a CPU, a user and a channel.
SUBBUFS = 8


@dataclass(frozen=True)
class Settings:
    """What the user can choose when flight is switched on."""
    output: str          # folder of the snapshots
    shm: str             # folder below which the ring buffers lie
    keep: int            # snapshots at most
    max_bytes: int       # of all snapshots
    every: float         # seconds between two snapshots for the same condition
    buffer_size: int     # bytes of a sub-buffer


@dataclass(frozen=True)
class Process:
    """A process that we started; its pid alone could be another's by now."""
    pid: int
    started: int

    @staticmethod
    def of(pid: int) -> 'Process':
        return Process(pid, processes.started(pid))

    def alive(self) -> bool:
        return bool(self.started) and processes.started(self.pid) == self.started


@dataclass
class State:
    settings: Settings
    session: str
    home: str                            # LTTNG_HOME by which start found the daemon
    began: float                         # seconds since the epoch
    buffers: dict[str, dict]             # channel -> size and count of its sub-buffers
    daemon: Optional[Process] = None     # only of one that we started
    watcher: Optional[Process] = None

    @property
    def output(self) -> Path:
        return Path(self.settings.output)

    @property
    def live(self) -> Path:
        """The ring buffers, as LTTng lays them out and removes them."""
        return Path(self.settings.shm) / 'live'

    @property
    def kept(self) -> Path:
        """Links to the same files, which stay when LTTng removes its own."""
        return Path(self.settings.shm) / 'kept'


@dataclass
class Fired:
    """What the triggers of one condition did since flight was switched on."""
    count: int = 0            # snapshots taken
    last: float = 0.0         # seconds since the epoch
    resumes: float = 0.0      # held off until then
    failed: int = 0           # snapshots that could not be taken
    discarded: int = 0        # messages of programs that did not reach the daemon


@dataclass
class Seen:
    """The watcher's memory."""
    fired: dict[str, Fired] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)   # names of snapshots
    removed: int = 0
    full: bool = False        # no room for a snapshot: all triggers are held off
    trouble: str = ''


def folder() -> Path:
    base = os.environ.get('XDG_STATE_HOME')
    if not base and os.geteuid() == 0:
        return Path('/var/lib/hakmem/flight')
    return Path(base or Path.home() / '.local/state') / 'hakmem/flight'


def load() -> Optional[State]:
    """None: flight is off."""
    there = _load(folder() / 'state.json')
    if there is None:
        return None
    try:
        known = {each.name for each in fields(State)}
        there = {key: value for key, value in there.items() if key in known}
        for key, kind in (('settings', Settings), ('daemon', Process), ('watcher', Process)):
            if there.get(key) is not None:
                there[key] = kind(**there[key])
        return State(**there)
    except TypeError:
        raise _damaged('state.json') from None


def save(state: State) -> None:
    _save('state.json', asdict(state))


def load_seen() -> Seen:
    there = _load(folder() / 'watch.json')
    if there is None:
        return Seen()
    try:
        fired = {name: Fired(**values) for name, values in there.pop('fired').items()}
        return Seen(fired=fired, **there)
    except (TypeError, KeyError, AttributeError):
        raise _damaged('watch.json') from None


def save_seen(seen: Seen) -> None:
    _save('watch.json', asdict(seen))


def forget() -> None:
    for name in ('state.json', 'watch.json', 'watch.log'):
        (folder() / name).unlink(missing_ok=True)


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """One command that changes something at a time."""
    import time

    try:
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = open(folder() / 'lock', 'a', encoding='ascii')
    except OSError as error:
        raise HakError(f'{error.filename}: {error.strerror}',
                       'set XDG_STATE_HOME to a folder that you may write to') from None
    with lock:
        deadline = time.monotonic() + TURN_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise HakError('another `hak flight` command does not end',
                                   'see `ps` for it') from None
                time.sleep(0.05)
        yield


def _load(path: Path) -> Optional[dict]:
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        return None
    except ValueError:
        raise _damaged(path.name) from None


def _save(name: str, value: dict) -> None:
    """At once or not at all: the watcher and the commands read each other's files."""
    path = folder() / name
    part = path.with_name(f'{name}.{os.getpid()}')
    try:
        part.write_text(json.dumps(value, indent=1), encoding='utf-8')
        part.rename(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _damaged(name: str) -> HakError:
    return HakError(f'{folder() / name} is damaged', 'run `hak flight stop`, which removes it')
