"""Where files of ours may lie: folders that nobody but their owner and root can change, and folders
for the time of a command.

Who reads somebody else's recording, perhaps as root, must not write where that somebody says.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_PREFIX = 'hak-read-'
# Names of files that are being written.
_PART_PREFIX, _PART_SUFFIX = '.hak-', '.part'
_ENDING = {signal.SIGTERM, signal.SIGHUP, signal.SIGINT}
# What is younger may be being made at this moment.
_STALE_SECONDS = 600


def safe(folder: Path) -> bool:
    """Can nobody but us and root put anything into this folder, or another one in its place, but
    for what the sticky bit allows? `folder`: without symbolic links, as from resolve()."""
    return all(map(_ours_alone, [folder, *folder.parents]))


def _ours_alone(folder: Path) -> bool:
    try:
        info = os.lstat(folder)
    except OSError:
        return False
    if not stat.S_ISDIR(info.st_mode) or info.st_uid not in (0, os.geteuid()):
        return False
    writable = info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if writable == stat.S_IWGRP and info.st_gid == os.getegid() == os.geteuid():
        return True   # the group that a user has alone, as umask 002 takes for granted
    return not writable or bool(info.st_mode & stat.S_ISVTX)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder of our own that goes with us, by whatever we end; what a kill -9 leaves behind the
    next one removes."""
    with _ends_in_order():
        _sweep(Path(tempfile.gettempdir()), _PREFIX, '', shutil.rmtree)
        folder, held = None, -1
        try:
            with _signals_held():
                folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
                held = _hold(folder)
            yield folder
        finally:
            if folder:
                shutil.rmtree(folder, ignore_errors=True)
            if held >= 0:
                os.close(held)


@contextlib.contextmanager
def part(folder: Path) -> Iterator[tuple[Path, int]]:
    """An empty file in a safe folder, to be written and renamed: its path and a descriptor."""
    _sweep(folder, _PART_PREFIX, _PART_SUFFIX, os.unlink)
    fd, name = -1, ''
    try:
        with _signals_held():
            fd, name = tempfile.mkstemp(_PART_SUFFIX, _PART_PREFIX, folder)
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield Path(name), fd
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        if fd >= 0:
            os.close(fd)


def _hold(path: Path) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd


def _sweep(folder: Path, prefix: str, suffix: str, remove) -> None:
    """Removes what we have made and nobody holds any more."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not (entry.name.startswith(prefix) and entry.name.endswith(suffix)):
                continue
            with contextlib.suppress(OSError):
                info = entry.stat(follow_symlinks=False)
                if info.st_uid != os.geteuid() or time.time() - info.st_mtime < _STALE_SECONDS:
                    continue
                held = _hold(Path(entry.path))
                try:
                    remove(entry.path)
                finally:
                    os.close(held)


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """None comes between the making of something and the knowing of it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _ends_in_order() -> Iterator[None]:
    """Signals that end us let us tidy up before."""
    ours = []
    for number in _ENDING - {signal.SIGINT}:
        with contextlib.suppress(ValueError):   # not in the main thread
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, _end)
                ours.append(number)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, _frame) -> None:
    raise SystemExit(128 + number)
