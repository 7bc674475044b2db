"""A memory cgroup of our own, v1 or v2, where there is one to be had."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

MOUNTED = Path('/sys/fs/cgroup')


@dataclass(frozen=True)
class Group:
    path: Path
    limit: str     # names of files
    used: str

    def put(self, pid: int) -> None:
        (self.path / 'cgroup.procs').write_text(str(pid))

    def limit_to(self, mib: int) -> None:
        (self.path / self.limit).write_text(str(mib << 20))

    def full(self) -> bool:
        """Nearly."""
        used, limit = (int((self.path / name).read_text()) for name in (self.used, self.limit))
        return used * 10 > limit * 9

    def kills(self) -> int:
        """How many processes the kernel has killed here."""
        for name in ('memory.oom_control', 'memory.events'):
            with contextlib.suppress(OSError):
                for line in (self.path / name).read_text().splitlines():
                    if line.startswith('oom_kill '):
                        return int(line.split()[1])
        return 0


@contextlib.contextmanager
def limited(mib: int) -> Iterator[Group]:
    group = _made()
    assert group is not None
    try:
        group.limit_to(mib)
        yield group
    finally:
        group.path.rmdir()


def available() -> bool:
    group = _made()
    if group is not None:
        group.path.rmdir()
    return group is not None


def _made() -> Optional[Group]:
    for parent, limit, used in (
            (MOUNTED / 'memory', 'memory.limit_in_bytes', 'memory.usage_in_bytes'),
            (MOUNTED, 'memory.max', 'memory.current')):
        path = parent / f'hak-test-{os.getpid()}-{uuid.uuid4().hex[:8]}'
        try:
            path.mkdir()
        except OSError:
            continue
        if os.access(path / limit, os.W_OK):
            return Group(path, limit, used)
        path.rmdir()
    return None
