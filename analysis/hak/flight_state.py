"""What flight remembers between commands: a folder for each user, into which nobody else writes.

    state.json   what `start` sets up, there before any of it is and until all of it is gone: a
                 command may be killed at any moment, and the next has to find what it left
    watch.json   what the watcher has seen and done
    sessiond/    a session daemon that `start` has started: its log, and which process it is
    watch.log    what the watcher said before it died
    snapshots/   unless --output names another place
"""

import contextlib
import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Optional, Union, get_args, get_origin

from hak import owned, processes
from hak.buffers import Buffers
from hak.errors import HakError

# Seconds: the longest that another `hak flight` command can take is far below.
TURN_SECONDS = 60
# Of each stream: one for a CPU, a user and a channel.
SUBBUFS = 8
# What has become of flight: being switched on, or off, until a command has come to its end.
STARTING, ON, STOPPING = 'starting', 'on', 'stopping'
REMEDY = 'set XDG_STATE_HOME to a folder of your own'
# No number of ours is as large, in seconds, bytes or anything else.
_MOST = 1 << 53
# The folder of the ring buffers is called so too, and something random behind it.
_SESSION = re.compile(r'hak-flight-\d+-[0-9a-f]{8}')


@dataclass(frozen=True)
class Settings:
    """What the user can choose when flight is switched on."""
    output: str          # folder of the snapshots
    shm: str             # folder in which that of the ring buffers is made
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
    shm: str                             # folder of the ring buffers, ours alone
    stage: str = STARTING
    made_place: bool = False             # settings.shm was not there before
    buffers: dict[str, Buffers] = field(default_factory=dict)   # of each channel
    daemon: Optional[Process] = None     # only of one that we started
    watcher: Optional[Process] = None

    @property
    def output(self) -> Path:
        return Path(self.settings.output)

    @property
    def live(self) -> Path:
        """The ring buffers, as LTTng lays them out and removes them."""
        return Path(self.shm) / 'live'

    @property
    def kept(self) -> Path:
        """Links to the same files, which stay when LTTng removes its own."""
        return Path(self.shm) / 'kept'


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
    try:
        return Path(base or Path.home() / '.local/state').absolute() / 'hakmem/flight'
    except RuntimeError:
        raise HakError('you have no home', REMEDY) from None


def load() -> Optional[State]:
    """None: flight is off."""
    state = _load('state.json', State)
    if state is not None and not (
            _SESSION.fullmatch(state.session) and state.stage in (STARTING, ON, STOPPING)
            and Path(state.shm).name.startswith(state.session)
            and all(Path(path).is_absolute() for path in
                    (state.shm, state.settings.shm, state.settings.output))):
        raise _damaged('state.json')
    return state


def save(state: State) -> None:
    _save('state.json', asdict(state))


def load_seen() -> Seen:
    return _load('watch.json', Seen) or Seen()


def save_seen(seen: Seen) -> None:
    _save('watch.json', asdict(seen))


def forget() -> None:
    """What is known, with what a command that was killed has left of it; state.json last."""
    with owned.ours(folder(), REMEDY) as there:
        parts = [name for name in os.listdir(there.handle)
                 if name.startswith(('.state.json.', '.watch.json.'))]
        for name in (*parts, 'watch.json', 'watch.log', 'state.json'):
            there.remove(name)


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """One command that changes something at a time."""
    with owned.ours(folder(), REMEDY, make=True) as there:
        try:
            lock = there.lock_file('lock')
        except OSError as error:
            raise HakError(f'{error.filename}: {error.strerror}', REMEDY) from None
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


def _load(name: str, kind: type) -> Any:
    """None if it is not there."""
    try:
        with owned.ours(folder(), REMEDY) as there:
            data = there.read(name)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HakError(f'{error.filename}: {error.strerror}', 'remove it, or make it readable') \
            from None
    try:
        return _shaped(kind, json.loads(data))
    except (ValueError, RecursionError):
        raise _damaged(name) from None


def _shaped(kind: Any, value: Any) -> Any:
    """What json makes of `kind`, made into it; ValueError if it is not that."""
    if is_dataclass(kind):
        return _fields(kind, value)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Union:
        return None if value is None else _shaped(inner[0], value)
    if origin is dict and isinstance(value, dict):
        return {_shaped(str, key): _shaped(inner[1], each) for key, each in value.items()}
    if origin is list and isinstance(value, list):
        return [_shaped(inner[0], each) for each in value]
    if kind is str and isinstance(value, str) and b'\0' not in os.fsencode(value):
        return value
    if kind is bool and isinstance(value, bool):
        return value
    if kind in (int, float) and type(value) in (int, kind) and 0 <= value < _MOST:
        return kind(value)
    raise ValueError(value)


def _fields(kind: type, value: Any) -> Any:
    """Those that have no default have to be there; of others than these nothing is known."""
    if not isinstance(value, dict):
        raise ValueError(value)
    try:
        return kind(**{each.name: _shaped(each.type, value[each.name])
                       for each in fields(kind) if each.name in value})
    except TypeError:
        raise ValueError(value) from None


def _save(name: str, value: dict) -> None:
    """At once or not at all: the watcher and the commands read each other's files."""
    with owned.ours(folder(), REMEDY) as there:
        try:
            there.replace(name, json.dumps(value, indent=1).encode())
        except OSError as error:
            raise HakError(f'{error.filename}: {error.strerror}', 'make room for it, or '
                           'set XDG_STATE_HOME to a folder elsewhere') from None


def _damaged(name: str) -> HakError:
    return HakError(f'{folder() / name} is damaged', 'run `hak flight stop`, which removes it')
