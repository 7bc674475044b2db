"""Snapshots on the disk: found, named and rotated out."""

import contextlib
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from hak import completeness
from hak.errors import HakError
from hak.traces import DATABASE_SUFFIX

# As LTTng names them: what we asked for, when, the number of the session's snapshot.
_NAME = re.compile(r'(?P<cause>[A-Za-z0-9_.-]+)-(?P<time>\d{8}-\d{6})-(?P<number>\d+)')


@dataclass(frozen=True)
class Snapshot:
    path: Path
    cause: str       # a condition's name, or what `dump` was told
    taken: float     # seconds since the epoch
    number: int
    size: int        # bytes, with the database that `hak report` keeps beside it

    @property
    def name(self) -> str:
        return self.path.name


def listed(output: Path) -> list[Snapshot]:
    """The oldest first."""
    found = []
    with contextlib.suppress(FileNotFoundError), os.scandir(output) as entries:
        for entry in entries:
            match = _NAME.fullmatch(entry.name)
            if match and entry.is_dir(follow_symlinks=False):
                found.append(_snapshot(Path(entry.path), match))
    return sorted(found, key=lambda snapshot: (snapshot.taken, snapshot.number))


def names(output: Path) -> set[str]:
    """Cheap to ask for."""
    try:
        return {name for name in os.listdir(output) if _NAME.fullmatch(name)}
    except FileNotFoundError:
        return set()


def rotate(there: list[Snapshot], keep: int, max_bytes: int) -> list[Snapshot]:
    """Removes what is too much of them and returns it; the newest always stays.

    The oldest of the cause with the most snapshots goes first, so that a condition that holds
    for hours does not push out the one snapshot of another.
    """
    left, removed = list(there), []
    while len(left) > 1 and (len(left) > keep or sum(each.size for each in left) > max_bytes):
        older = left[:-1]
        causes = [snapshot.cause for snapshot in left]
        most = max(older, key=lambda snapshot: causes.count(snapshot.cause))
        remove(most)
        left.remove(most)
        removed.append(most)
    return removed


def note(path: Path) -> None:
    """Of a snapshot that is whole: says what it consists of, since LTTng gives it no indexes."""
    with contextlib.suppress(OSError, HakError):
        completeness.write_note(path, [])


def noted(path: Path) -> bool:
    return (path / completeness.NOTE).exists()


def extent(path: Path) -> dict[Path, int]:
    """The bytes of its files."""
    with contextlib.suppress(OSError):
        return {file: file.stat().st_size for file in path.rglob('*') if file.is_file()}
    return {}


def remove(snapshot: Snapshot) -> None:
    shutil.rmtree(snapshot.path, ignore_errors=True)
    _database(snapshot.path).unlink(missing_ok=True)


def new_path(output: Path, cause: str) -> Path:
    """For a snapshot that LTTng's daemon does not take."""
    stem = f'{cause}-{time.strftime("%Y%m%d-%H%M%S")}'
    return next(path for number in range(1 << 20)
                if not (path := output / f'{stem}-{number}').exists())


def tree_bytes(top: Path) -> int:
    """As the disk counts them."""
    total = 0
    for where, _, names in os.walk(top):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(where, name)).st_blocks * 512
    return total


def room(path: Path) -> Optional[int]:
    """Free bytes where `path` is or will be."""
    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        stat = os.statvfs(path)
    except OSError:
        return None
    return stat.f_bavail * stat.f_frsize


def _snapshot(path: Path, match: re.Match) -> Snapshot:
    database = _database(path)
    size = tree_bytes(path)
    with contextlib.suppress(OSError):
        size += database.stat().st_size
    try:
        taken = time.mktime(time.strptime(match['time'], '%Y%m%d-%H%M%S'))
    except ValueError:
        taken = path.stat().st_mtime
    return Snapshot(path, match['cause'], taken, int(match['number']), size)


def _database(path: Path) -> Path:
    return path.with_name(path.name + DATABASE_SUFFIX)
