"""Questions to Babeltrace about traces, each answered by a child process (apart.py)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional

from hak import apart, paths

LIBRARY = 'babeltrace-plugin-hakmem.so'


@dataclass(frozen=True)
class Missing:
    """Packets that the trace does not have though they were written. Times on its clock; 0: not
    known."""
    stream: str
    begin: int = 0
    end: int = 0
    packets: int = 0


@dataclass(frozen=True)
class Reading:
    """What to make of a trace: which folders, into which file, for which time."""
    folders: list
    database: Path
    begin: Optional[int] = None       # nanoseconds since the epoch
    end: Optional[int] = None
    overwritten: int = 0              # on the trace's clock
    unfinished: int = 0               # on the trace's clock
    missing: list = field(default_factory=list)
    identity: str = ''                # kept in the file


def run(reading: Reading, told: Callable[[int], None] = lambda ns: None) -> Optional[str]:
    """Reads the trace; None, or what went wrong in the middle of it.

    told(ns) is called now and then with the time the reading has come to. What was read before a
    failure is in the database; a failure that leaves none is a HakError.
    """
    return apart.call(_read, reading, told=told)


def first_time(folders: list) -> Optional[int]:
    """The time of the trace's first event, in nanoseconds since the epoch."""
    return apart.call(_ask, 'first_time', list(map(str, folders)))


def environment(folders: list) -> dict:
    """What the recorder wrote down of itself and the machine: hostname, tracer and so on."""
    return apart.call(_ask, 'environment', str(folders[0])) if folders else {}


def time_range(folders: list) -> Optional[list[int]]:
    """Begin and end of the trace by its packets, for a progress bar; None if they do not say."""
    return apart.call(_ask, 'time_range', list(map(str, folders)))


def built() -> str:
    """Which component it is: what another one wrote is not to be taken for its."""
    info = (paths.plugin_dir() / LIBRARY).stat()
    return f'{info.st_mtime_ns} {info.st_size}'


def _read(reading: Reading) -> Optional[str]:
    from hak import babeltrace

    return babeltrace.read(reading)


def _ask(what: str, about):
    from hak import babeltrace

    return getattr(babeltrace, what)(about)
