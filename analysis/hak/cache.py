"""The database beside a trace is a cache: used again only if this user's hak has written every byte
of it, about this very trace. Whatever else lies there is read past, and replaced.

A seal says so: a hash of the whole file with a key that only the user has. SQLite leaves two numbers
in its header to applications; the seal is in these.
"""

import contextlib
import hashlib
import hmac
import os
import pwd
import secrets
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Optional

from hak import places
from hak.db import SCHEMA

# Of SQLite's header: user_version and application_id, big-endian.
_SEAL_AT = (60, 68)
_SEAL_BYTES = 4
_HEADER_BYTES = 100
_KEY_BYTES = 32
_BLOCK = 1 << 20


def place_for(trace: Path, suffix: str) -> tuple[Path, bool]:
    """Where the database of a trace goes, and whether that is a safe place."""
    real = trace.resolve()
    beside = real.with_name(real.name + suffix) if real.name else real / suffix
    return beside, bool(real.name) and places.safe(beside.parent)


def fresh(path: Path, identity: str) -> bool:
    """Is there a database that we have made of this trace?"""
    key = _key(make=False)
    if key is None:
        return False
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        info = os.fstat(fd)
        if (not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid() or info.st_nlink != 1
                or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
            return False
        there = b''.join(os.pread(fd, _SEAL_BYTES, at) for at in _SEAL_AT)
        return hmac.compare_digest(there, _seal_of(fd, key)) and _is_about(path, identity)
    except OSError:
        return False
    finally:
        os.close(fd)


def seal(fd: int) -> None:
    """Says of a file that nobody else could write to that it is ours, if we have a key."""
    key = _key(make=True)
    if key is None:
        return
    value = _seal_of(fd, key)
    for number, at in enumerate(_SEAL_AT):
        os.pwrite(fd, value[number * _SEAL_BYTES:(number + 1) * _SEAL_BYTES], at)


def _seal_of(fd: int, key: bytes) -> bytes:
    digest = hashlib.blake2b(key=key, digest_size=len(_SEAL_AT) * _SEAL_BYTES)
    header = bytearray(os.pread(fd, _HEADER_BYTES, 0))
    for at in _SEAL_AT:
        header[at:at + _SEAL_BYTES] = bytes(_SEAL_BYTES)
    digest.update(header)
    at = len(header)
    while block := os.pread(fd, _BLOCK, at):
        digest.update(block)
        at += len(block)
    return digest.digest()


def _is_about(path: Path, identity: str) -> bool:
    try:
        with closing(sqlite3.connect(f'{path.resolve().as_uri()}?mode=ro&immutable=1',
                                     uri=True)) as db:
            found = dict(db.execute("SELECT key, ifnull(text, number) FROM meta "
                                    "WHERE key IN ('schema', 'identity')"))
    except sqlite3.Error:
        return False
    return found == {'schema': SCHEMA, 'identity': identity}


# ---- the key ----

def _key(make: bool) -> Optional[bytes]:
    """None: there is none, or nowhere to keep one."""
    for folder in _homes():
        with contextlib.suppress(OSError):
            if not make and not folder.is_dir():
                continue
            if make and places.safe(_existing(folder)):
                folder.mkdir(0o700, parents=True, exist_ok=True)
            if places.safe(folder.resolve(strict=True)):
                return _read_key(folder.resolve() / 'key', make)
    return None


def _existing(folder: Path) -> Path:
    """The nearest that is there, of this folder and those above it."""
    return next(each for each in [folder, *folder.parents] if each.exists()).resolve()


def _homes() -> Iterator[Path]:
    """The user's, not those of whoever became this user by sudo or su: they are not safe."""
    if folder := os.environ.get('XDG_CACHE_HOME'):
        yield Path(folder) / 'hakmem'
    if home := os.environ.get('HOME'):
        yield Path(home) / '.cache/hakmem'
    with contextlib.suppress(KeyError):
        yield Path(pwd.getpwuid(os.geteuid()).pw_dir) / '.cache/hakmem'


def _read_key(path: Path, make: bool) -> Optional[bytes]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if not make:
            return None
        with places.part(path.parent) as (part, new):
            os.write(new, secrets.token_bytes(_KEY_BYTES))
            with contextlib.suppress(FileExistsError):   # another hak was faster
                os.link(part, path)
        return _read_key(path, False)
    try:
        info = os.fstat(fd)
        key = os.read(fd, _KEY_BYTES) if stat.S_ISREG(info.st_mode) else b''
        private = info.st_uid == os.geteuid() and not info.st_mode & 0o077
        return key if private and len(key) == _KEY_BYTES else None
    finally:
        os.close(fd)
