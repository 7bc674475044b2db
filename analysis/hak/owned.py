"""Files of ours where other users could have a hand: state, shared memory, what the user names.

What is made is made exclusively, below a folder that is held open, under a name that nobody can
guess, and never through a symbolic link. LTTng's daemons take paths instead: for those, every
folder on the way must be one in which no other user can exchange anything (make, checked).
"""

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from hak.errors import HakError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LINKS = 40
# The longest file of ours that is read.
_MOST = 16 << 20


class Folder:
    """A folder that is held open: whatever becomes of its path, it stays the same one."""

    def __init__(self, handle: int, path: Path):
        self.handle = handle
        self.path = path   # for messages

    def read(self, name: str) -> bytes:
        # Without waiting for somebody to write into a FIFO.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with self._named(name), open(os.open(name, flags, dir_fd=self.handle), 'rb') as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise HakError(f'{self.path / name} is no ordinary file', 'remove it')
            return file.read(_MOST)

    def create(self, name: str, mode: int = 0o600) -> IO[bytes]:
        """A new file in place of what was called so."""
        self.remove(name)
        return self._made(name, mode)

    def replace(self, name: str, data: bytes, mode: int = 0o600) -> None:
        """At once or not at all."""
        part = f'.{name}.{secrets.token_hex(8)}'
        with self._named(name):
            try:
                with self._made(part, mode) as file:
                    file.write(data)
                os.rename(part, name, src_dir_fd=self.handle, dst_dir_fd=self.handle)
            except BaseException:
                self.remove(part)
                raise

    def lock_file(self, name: str) -> IO[bytes]:
        """Made if it is not there; only to be locked."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with self._named(name):
            return open(os.open(name, flags, 0o600, dir_fd=self.handle), 'r+b')

    def make(self, name: str) -> None:
        """A folder of ours alone; FileExistsError if anything is called so."""
        os.mkdir(name, 0o700, dir_fd=self.handle)
        inner = os.open(name, _FOLDER, dir_fd=self.handle)
        try:
            os.fchmod(inner, 0o700)   # whatever the umask is
        finally:
            os.close(inner)

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.handle)

    def _made(self, name: str, mode: int) -> IO[bytes]:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = open(os.open(name, flags, mode, dir_fd=self.handle), 'wb')
        os.fchmod(file.fileno(), mode)
        return file

    @contextlib.contextmanager
    def _named(self, name: str) -> Iterator[None]:
        """An error of the system's names the file, and where it is."""
        try:
            yield
        except OSError as error:
            raise type(error)(error.errno, error.strerror, str(self.path / name)) from None


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Folder]:
    """Whoever it belongs to."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Folder(handle, path)
    finally:
        os.close(handle)


@contextlib.contextmanager
def checked(path: Path, remedy: str, make: bool = False) -> Iterator[Folder]:
    """Nobody else can exchange it or what leads to it. It may be one like /dev/shm, where
    everybody makes files. `make`: those folders that are missing. FileNotFoundError without."""
    handle = _descend(path, remedy, make)
    try:
        yield Folder(handle, path)
    finally:
        os.close(handle)


@contextlib.contextmanager
def ours(path: Path, remedy: str, make: bool = False) -> Iterator[Folder]:
    """Nobody else can even write into it."""
    with checked(path, remedy, make) as folder:
        info = os.fstat(folder.handle)
        if info.st_uid != os.geteuid():
            raise HakError(f'{path} belongs to {_user(info.st_uid)}', remedy)
        if _writable(info):
            raise HakError(f'{path} can be written to by other users', remedy)
        yield folder


def remove_tree(path: Path) -> None:
    """A folder, if it is ours, and all below it. Of a link or a file only itself."""
    try:
        info = path.lstat()
    except OSError:
        return
    if info.st_uid != os.geteuid():
        return
    if stat.S_ISDIR(info.st_mode):
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _descend(path: Path, remedy: str, make: bool) -> int:
    """Opens `path` one step after the other."""
    steps = list(reversed(path.absolute().parts[1:]))
    at, handle, links = Path('/'), os.open('/', _FOLDER), 0
    try:
        while True:
            _refuse_foreign(os.fstat(handle), at, remedy)
            if not steps:
                return handle
            step = steps.pop()
            if step == '..':
                at, handle = at.parent, _instead(handle, os.open(at.parent, _FOLDER))
                continue
            info = _step(handle, step, make, not steps)
            if not stat.S_ISLNK(info.st_mode):
                handle = _instead(handle, os.open(step, _FOLDER, dir_fd=handle))
                at = at / step
                continue
            links += 1
            if info.st_uid not in _trusted() or links > _LINKS:
                raise HakError(f'{at / step} is a link of {_user(info.st_uid)}', remedy)
            target = Path(os.readlink(step, dir_fd=handle))
            if target.is_absolute():
                at, handle = Path('/'), _instead(handle, os.open('/', _FOLDER))
            steps += reversed(target.parts[1:] if target.is_absolute() else target.parts)
    except BaseException as error:
        os.close(handle)
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise HakError(f'{path}: {error.strerror}', remedy) from None
        raise


def _step(handle: int, name: str, make: bool, last: bool) -> os.stat_result:
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700 if last else 0o755, dir_fd=handle)
    return os.stat(name, dir_fd=handle, follow_symlinks=False)


def _instead(handle: int, following: int) -> int:
    os.close(handle)
    return following


def _refuse_foreign(info: os.stat_result, path: Path, remedy: str) -> None:
    if info.st_uid not in _trusted():
        raise HakError(f'{path} belongs to {_user(info.st_uid)}, who could lead it elsewhere',
                       remedy)
    if _writable(info) and not info.st_mode & stat.S_ISVTX:
        raise HakError(f'{path} can be written to by other users, who could lead it elsewhere',
                       remedy)


def _trusted() -> set[int]:
    """Root, we, and who has the top: in a user namespace that is somebody unknown."""
    return {0, os.geteuid(), os.stat('/').st_uid}


def _writable(info: os.stat_result) -> bool:
    """By others than the owner and, in the way of many systems, a group of his own."""
    return bool(info.st_mode & stat.S_IWOTH or
                info.st_mode & stat.S_IWGRP and info.st_gid not in (0, os.getegid()))


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f'user {uid}'
