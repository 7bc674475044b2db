"""Runs a function in a child process: what Babeltrace makes of a damaged trace may abort, never
come back or take all memory, and must not take hak with it.

The child says how far it is in memory that it shares with us, and at its end one JSON document
through a pipe. Whoever waits for it ends it if it makes no progress: not for being slow.
"""

import contextlib
import ctypes
import faulthandler
import fcntl
import json
import mmap
import os
import select
import signal
import time
from typing import Any, Callable, NoReturn, Optional

from hak import shortage
from hak.errors import HakError

# Seconds of CPU time without a step of progress, after which none will come; and of no CPU time.
SPINNING_SECONDS = 8
BLOCKED_SECONDS = 120
_POLL_MS = 50
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4


class Progress(ctypes.Structure):
    """struct watch of analysis/plugin/component.h."""
    _fields_ = [('steps', ctypes.c_uint64), ('ns', ctypes.c_int64)]


# The child's own. The plugin and whoever else works there count its steps.
progress = Progress()


def step() -> None:
    """In the child: there is progress."""
    progress.steps += 1


def call(function: Callable, *args: Any, told: Callable[[int], None] = lambda ns: None) -> Any:
    """function(*args) in a child process: its answer, as JSON gives it back, or its HakError.

    told(ns) is called now and then with the time of the trace that it has come to.
    """
    shared = mmap.mmap(-1, mmap.PAGESIZE)
    reader, low = os.pipe()
    # Where we were started without them, it may have a number that the child gives away.
    writer = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(low)
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        _child(function, args, shared, writer, parent)
    os.close(writer)
    child = _Child(pid)
    try:
        said = _listen(reader, child, Progress.from_buffer(shared), told)
        return _understood(said, child.wait())
    finally:
        child.end()
        os.close(reader)


class _Child:
    """A process that is always ended and waited for."""

    def __init__(self, pid: int):
        self.pid = pid
        self._status: Optional[int] = None

    def wait(self) -> int:
        if self._status is None:
            try:
                self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            except ChildProcessError:   # where SIGCHLD is ignored nobody learns more
                self._status = 0
        return self._status

    def end(self) -> None:
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.wait()

    def seconds(self) -> float:
        """CPU time that it has taken. The clock of a process, as clock_getcpuclockid(3) numbers it."""
        try:
            return time.clock_gettime(~self.pid << 3 | 2)
        except OSError:
            return 0.0   # it has ended


def _listen(reader: int, child: _Child, far: Progress, told: Callable[[int], None]) -> bytes:
    said, steps, since, used = b'', -1, time.monotonic(), 0.0
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    while True:
        if poll.poll(_POLL_MS):
            part = os.read(reader, 1 << 20)
            if not part:
                return said
            said += part
            continue
        now, seconds = time.monotonic(), child.seconds()
        if far.steps != steps:
            steps, since, used = far.steps, now, seconds
            told(far.ns)
        elif seconds - used > SPINNING_SECONDS or (now - since > BLOCKED_SECONDS
                                                   and seconds - used < 0.1):
            raise HakError('reading the trace goes on without an end', 'the trace is damaged')


def _understood(said: bytes, status: int) -> Any:
    if said:
        answer = json.loads(said)
        if 'missing' in answer:
            raise ModuleNotFoundError(name=answer['missing'])
        if 'error' in answer:
            raise HakError(*answer['error'])
        return answer['answer']
    if status == -signal.SIGKILL or status == 3:   # 3: memory.h
        raise HakError('there was not enough memory to read the trace',
                       f'{shortage.remedy()}; or it is damaged')
    name = signal.Signals(-status).name if status < 0 else f'exit code {status}'
    # Its library ends the process where it gets no memory.
    why = f', or memory is short: {shortage.remedy()}' if shortage.limits() else ''
    raise HakError(f'Babeltrace gave up with {name}', f'the trace is damaged{why}')


def _child(function: Callable, args: tuple, shared: mmap.mmap, writer: int,
           parent: int) -> NoReturn:
    global progress

    try:
        _settle(parent)
        progress = Progress.from_buffer(shared)
        said = json.dumps(_answer(function, args)).encode()
        while said:
            said = said[os.write(writer, said):]
    finally:
        os._exit(0)


def _settle(parent: int) -> None:
    """No core, no word to the terminal, no life without the parent; first to go without memory."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)
    with contextlib.suppress(OSError), open('/proc/self/oom_score_adj', 'w', encoding='ascii') as out:
        out.write('1000')
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    faulthandler.disable()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)


def _answer(function: Callable, args: tuple) -> dict:
    try:
        return {'answer': function(*args)}
    except Exception as error:  # pylint: disable=broad-except  # whatever Babeltrace's module raises
        return _told(shortage.of(error) or error)


def _told(error: Exception) -> dict:
    if isinstance(error, HakError):
        return {'error': [error.message, error.remedy, error.code]}
    if isinstance(error, ModuleNotFoundError):
        return {'missing': error.name}
    return {'error': [f'the trace cannot be read: {type(error).__name__}: {error}',
                      'the trace is damaged', 3]}
