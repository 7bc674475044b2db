"""What /proc tells about other processes, and how to end those of one session for good."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable

# Without a word, because who starts it has been killed, it ends.
_WHEN_NOTED = 'read -r go && exec "$@" </dev/null'


def start_noted(command: list[str], note: Callable[[int], None], **options) -> subprocess.Popen:
    """Starts a process that outlives us and leads a session. It does nothing before `note` has
    written down which it is: we may be killed at any moment, and the next has to find it."""
    child = subprocess.Popen(['sh', '-c', _WHEN_NOTED, 'sh', *command], stdin=subprocess.PIPE,
                             start_new_session=True, **options)
    try:
        note(child.pid)
        with contextlib.suppress(BrokenPipeError):   # it has died: who waits for it will see
            child.stdin.write(b'go\n')
            child.stdin.flush()
    except BaseException:
        child.kill()
        child.wait()
        raise
    finally:
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
    return child


def end_session(leader: int, seconds: float) -> None:
    """Ends the process that leads a session, politely, and waits for all of the session.

    Its pid stays taken while any member lives, so it names the session even if the leader has
    died before. What has not ended in time is killed.
    """
    members = _members(leader)
    with contextlib.suppress(ProcessLookupError):
        # Without its leader nobody is left to tell the others.
        for pid in [leader] if leader in members else members:
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while members and time.monotonic() < deadline:
        time.sleep(0.01)
        members = _members(leader)
    for pid in members:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def started(pid: int) -> int:
    """Clock ticks from boot to the start of the process: with the pid, unique. 0: no such."""
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] not in 'ZX' else 0


def maps(pid: int) -> str:
    """What the process maps; nothing if we may not know."""
    return _read(pid, 'maps')


def mapped(path: Path) -> bool:
    """Does any process, of those that we may look at, map this file?"""
    needle = str(path)
    return any(needle in maps(pid) for pid in _pids())


def _members(session: int) -> list[int]:
    """Living processes of the session."""
    found = []
    for pid in _pids():
        fields = _stat(pid)
        if fields and fields[3] == str(session) and fields[0] not in 'ZX':
            found.append(pid)
    return found


def _pids() -> list[int]:
    return [int(name) for name in os.listdir('/proc') if name.isdigit()]


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third, the state, on. The second may hold anything."""
    return _read(pid, 'stat').rpartition(')')[2].split()


def _read(pid: int, name: str) -> str:
    try:
        return Path(f'/proc/{pid}/{name}').read_text(errors='replace')
    except OSError:
        return ''
