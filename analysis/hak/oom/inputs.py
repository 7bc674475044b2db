"""A PATH becomes recordings that can be read: a trace, a snapshot, a directory of snapshots, or
shared memory that processes have left behind."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from hak import flight_crash, flight_snapshots, places

# The folders in which flight has its ring buffers, the one that outlives the daemon first; and
# those in which each start of flight has them, below what `--shm` names.
FLIGHT = ('kept', 'live')
STARTS = 'hak-flight-*'


@contextlib.contextmanager
def recordings(path: Path) -> Iterator[list[Path]]:
    """Directories of traces; each is to be read by itself."""
    buffers = _buffers(path)
    if buffers is None:
        snapshots = [each.path for each in flight_snapshots.listed(path)] if path.is_dir() else []
        yield [each for each in snapshots if any(each.rglob('metadata'))] or [path]
        return
    with places.scratch() as scratch:
        target = scratch / (path.resolve().name or 'memory')
        flight_crash.extract(buffers, target)
        yield [target]


def _buffers(path: Path) -> Path | None:
    """The ring buffers at or below `path`, if it has any."""
    starts = sorted(path.glob(STARTS), key=lambda start: -start.lstat().st_mtime)
    for folder in (*(start / name for start in (path, *starts) for name in FLIGHT), path):
        if folder.is_dir() and flight_crash.holds_buffers(folder):
            return folder
    return None
