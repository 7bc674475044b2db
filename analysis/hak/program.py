"""The program that is recorded: can the allocator be preloaded into it, and running it so that
it does not notice us."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from hak.errors import HakError

# What a shell, a service manager or a person sends to us means the program.
FORWARDED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1,
             signal.SIGUSR2}
_PT_INTERP = 3
_ELF_CLASS_64, _LITTLE_ENDIAN = 2, 1


def find(name: str) -> Path:
    """The file that will be executed; HakError if it cannot be, or not with a preload."""
    found = shutil.which(name)
    if found is None:
        path = Path(name)
        if '/' in name and path.is_dir():
            raise HakError(f'{name} is a directory', 'name a program')
        if '/' in name and path.exists():
            raise HakError(f'{name} is not executable', f'chmod +x {name}')
        raise HakError(f'{name}: no such program', '' if '/' in name else 'it is not on PATH')
    _check_preloadable(Path(found))
    return Path(found)


def _check_preloadable(path: Path, depth: int = 0) -> None:
    """The dynamic loader ignores LD_PRELOAD, or is not there at all, in some programs."""
    try:
        info = path.stat()
        with open(path, 'rb') as file:
            head = file.read(4096)
    except OSError:
        return  # executable but not readable: only running it will tell
    if head.startswith(b'#!') and depth < 4:
        words = head[2:].split(b'\n', 1)[0].split()
        if words:
            _check_preloadable(Path(os.fsdecode(words[0])), depth + 1)
        return
    gains_rights = ((info.st_mode & stat.S_ISUID and info.st_uid != os.geteuid())
                    or (info.st_mode & stat.S_ISGID and info.st_gid != os.getegid()))
    if gains_rights:
        raise HakError(f'{path} is setuid or setgid, so nothing can be preloaded into it',
                       'record it as the user it changes to')
    if not head.startswith(b'\x7fELF'):
        raise HakError(f'{path} is neither a program nor a script with #!',
                       f'try: hak record -- sh {path}')
    if head[4] != _ELF_CLASS_64 or head[5] != _LITTLE_ENDIAN:
        raise HakError(f'{path} is not a 64-bit program of this machine')
    if not _has_interpreter(head):
        raise HakError(f'{path} is statically linked, so nothing can be preloaded into it',
                       'link it dynamically')


def _has_interpreter(head: bytes) -> bool:
    """Does the ELF file ask for a dynamic loader? (64 bit, little endian)"""
    offset = int.from_bytes(head[32:40], 'little')
    size = int.from_bytes(head[54:56], 'little')
    count = int.from_bytes(head[56:58], 'little')
    if offset + size * count > len(head):
        return True  # unusual; the loader will know
    return any(int.from_bytes(head[at:at + 4], 'little') == _PT_INTERP
               for at in range(offset, offset + size * count, size))


@contextlib.contextmanager
def signals_held() -> Iterator[set]:
    """Keeps signals for wait(), and from interrupting the setting up and the tidying up.

    Yields the mask that was in force, which the program must get.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED | {signal.SIGCHLD})
    try:
        yield before
    finally:
        while signal.sigtimedwait(FORWARDED | {signal.SIGCHLD}, 0):
            pass  # meant for a program that has ended
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def stop_if_interrupted() -> None:
    """Before the program runs, a signal that was held is for us: exit as if it had killed us."""
    for number in FORWARDED & signal.sigpending():
        if signal.getsignal(number) is not signal.SIG_IGN:
            raise SystemExit(128 + number)


def start(path: Path, argv: list[str], env: dict[str, str], mask: set) -> subprocess.Popen:
    """Starts the program under signals_held().

    It keeps our process group and terminal: what a terminal sends reaches it without us.
    """
    try:
        return subprocess.Popen(
            # A name without a slash would be looked for on PATH, which is not where it was found.
            argv, executable=path.absolute(), env=env, close_fds=False,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask))
    except OSError as error:
        raise HakError(f'{path} cannot be executed: {error.strerror}') from None


def wait(child: subprocess.Popen) -> int:
    """Passes signals on until the program ends; its exit code, 128+n for signal n."""
    while child.poll() is None:
        received = signal.sigwaitinfo(FORWARDED | {signal.SIGCHLD})
        # A positive code: from the kernel, which has told the whole foreground group.
        if received.si_signo in FORWARDED and received.si_code <= 0:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(received.si_signo)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode
