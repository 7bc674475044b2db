"""What `hak record` knows of the program that no event tells: its command line, its limits, how it
ended, and whom the kernel killed meanwhile.

The kernel counts the processes that it kills for want of memory: those of a memory cgroup in the
group, all of the machine's in /proc/vmstat.
"""

import contextlib
import json
import os
import resource
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from signal import SIGKILL
from typing import Any, Optional

from hak import traces
from hak.completeness import NOTE, NOTE_MOST
from hak.errors import HakError

# Of v1 and of v2: where, the file that shows it, the one in which a group counts, its limit.
HIERARCHIES = (
    ('/sys/fs/cgroup/memory', 'memory.oom_control', 'memory.oom_control', 'memory.limit_in_bytes'),
    ('/sys/fs/cgroup', 'cgroup.controllers', 'memory.events', 'memory.max'))
# Looked at when a recording begins, which should not wait for it.
GROUPS_MOST = 2000
LIMITS = {'as': resource.RLIMIT_AS, 'data': resource.RLIMIT_DATA,
          'memlock': resource.RLIMIT_MEMLOCK, 'stack': resource.RLIMIT_STACK}
COUNTER = 'oom_kill '
# Of a command line that is told.
WORDS_MOST, TEXT_MOST = 100, 4096


@dataclass(frozen=True)
class Fate:
    """`code`: the exit code, -N: killed by signal N. `kills`: path of a memory cgroup -> processes
    that the kernel killed in it meanwhile; `machine_kills`: in all, None: not known. `limits`, and
    those of the groups that killed: in bytes, None: none. `memory`: RAM and swap. Times are
    nanoseconds since the epoch."""
    argv: list[str]
    pid: int
    code: int
    began: int
    ended: int
    kills: dict[str, int] = field(default_factory=dict)
    machine_kills: Optional[int] = None
    limits: dict[str, Optional[int]] = field(default_factory=dict)
    cgroup_version: int = 2
    group_limits: dict[str, Optional[int]] = field(default_factory=dict)
    memory: Optional[int] = None

    @property
    def signal(self) -> int:
        """0: none. A shell tells of its last command's by an exit code."""
        return -self.code if self.code < 0 else max(0, self.code - 128)

    @property
    def starved(self) -> bool:
        """May the kernel have killed it for want of memory?"""
        return self.signal == SIGKILL and bool(self.kills or self.machine_kills)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Watch:
    """From before the program begins until it has ended."""

    def __init__(self) -> None:
        self._began = time.time_ns()
        self._groups = {path: count for path, count, _ in _groups()}
        self._machine = _machine()
        self._limits = {name: _soft(which) for name, which in LIMITS.items()}

    def ended(self, argv: list[str], child: subprocess.Popen) -> Fate:
        rose = {path: (count - self._groups.get(path, 0), limit) for path, count, limit in _groups()
                if count > self._groups.get(path, 0)}
        machine = _machine()
        killed = None if None in (machine, self._machine) else machine - self._machine
        told = [text[:TEXT_MOST] for text in argv[:WORDS_MOST]]
        return Fate(told, child.pid, child.returncode, self._began, time.time_ns(),
                    {path: count for path, (count, _) in rose.items()}, killed,
                    self._limits,
                    1 if Path(*HIERARCHIES[0][:2]).exists() else 2,
                    {path: _number(limit) for path, (_, limit) in rose.items()}, _memory())


def _soft(which: int) -> Optional[int]:
    limit = resource.getrlimit(which)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def _machine() -> Optional[int]:
    return _line(Path('/proc/vmstat'), COUNTER)


def _memory() -> int:
    kib = [_line(Path('/proc/meminfo'), name) for name in ('MemTotal:', 'SwapTotal:')]
    return sum(each or 0 for each in kib) << 10


def _groups() -> Iterator[tuple[str, int, Path]]:
    """Path of each memory cgroup, as /proc/PID/cgroup has it, how many were killed in it, and where
    its limit is."""
    left = GROUPS_MOST
    for mounted, mark, counter, limit in HIERARCHIES:
        folders = [mounted] if Path(mounted, mark).exists() else []
        while folders and left:
            folder = folders.pop()
            left -= 1
            count = _line(Path(folder, counter), COUNTER)
            if count is not None:
                yield folder.removeprefix(mounted) or '/', count, Path(folder, limit)
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                folders += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]


def _line(path: Path, name: str) -> Optional[int]:
    """The number behind a name in a file of the kernel's."""
    try:
        lines = path.read_text(encoding='ascii').splitlines()
        return next((int(line.removeprefix(name).split()[0]) for line in lines
                     if line.startswith(name)), None)
    except (OSError, ValueError, IndexError):
        return None


def _number(path: Path) -> Optional[int]:
    try:
        return int(path.read_text(encoding='ascii'))
    except (OSError, ValueError):
        return None


# ---- the note ----

def read(trace: Path) -> Optional[Fate]:
    """As the note beside a recording has it; None: there is none that can be understood."""
    for folder in [trace, *trace.resolve().parents[:5]]:
        if (folder / NOTE).is_file():
            return _understood(folder / NOTE)
    return None


def _understood(path: Path) -> Optional[Fate]:
    try:
        fate = Fate(**json.loads(traces.read(path, NOTE_MOST))['program'])
        return fate if _fine(fate) else None
    except (HakError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _fine(fate: Fate) -> bool:
    numbers = [fate.pid, fate.code, fate.began, fate.ended, fate.cgroup_version,
               *fate.kills.values()]
    perhaps = [fate.machine_kills, fate.memory, *fate.limits.values(), *fate.group_limits.values()]
    numbers += [each for each in perhaps if each is not None]
    return (isinstance(fate.argv, list)
            and all(isinstance(text, str) for text in [*fate.argv, *fate.kills, *fate.group_limits])
            and all(type(number) is int and abs(number) < 1 << 63 for number in numbers)
            and fate.cgroup_version in (1, 2))
