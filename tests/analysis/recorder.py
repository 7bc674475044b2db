"""Records what emit.c emits, with a session daemon that is nobody else's."""

import contextlib
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

ROOT = Path(__file__).resolve().parents[2]
HAK = ROOT / 'scripts' / 'hak'
PROVIDER = ROOT / 'build' / 'trace' / 'libhakmem-lttng.so'
# Nothing here takes as long on a machine that works.
SECONDS = 300    # then it hangs

sys.path.insert(0, str(ROOT / 'analysis'))

from hak import cache  # noqa: E402
from hak import daemon as daemons  # noqa: E402  (the line above makes it importable)
from hak import lttng  # noqa: E402


@dataclass
class Result:
    code: int
    out: str
    err: str


def hak(*args, **options) -> Result:
    options.setdefault('timeout', SECONDS)
    options.setdefault('stdin', subprocess.DEVNULL)
    done = subprocess.run([str(HAK), *map(str, args)], capture_output=True, text=True,
                          check=False, **options)
    return Result(done.returncode, done.stdout, done.stderr)


def seal(database: Path) -> None:
    """Of a database that a test has changed, and that shall be used all the same."""
    with open(database, 'r+b') as file:
        cache.seal(file.fileno())


def on_terminal(*command, env=None, codes=(0,)) -> str:
    """What hak says to a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update({'TERM': 'xterm', 'COLUMNS': '130', **(env or {})})
        os.execv(HAK, [str(HAK), *map(str, command)])
    said, deadline = b'', time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 1)[0]:
            try:
                said += os.read(terminal, 65536)
            except OSError:
                break
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) in codes
    return said.decode()


@dataclass(frozen=True)
class Channel:
    events: str = 'hakmem:*'
    subbuf_size: int = 1 << 20
    subbufs: int = 4
    switch_us: int = 0   # a packet is closed at least this often


@dataclass
class Recorder:
    emitter: Path
    daemon: daemons.Daemon

    @contextlib.contextmanager
    def session(self, output: Path, *channels: Channel, buffers: str = 'uid',
                contexts: bool = True, snapshot: bool = False) -> Iterator[Callable]:
        """Yields emit(script) -> pid of the process that has emitted it."""
        run, name = self.daemon.client.run, lttng.unique_name('test')
        run('create', name, f'--output={output}', *(['--snapshot'] if snapshot else []))
        for number, channel in enumerate(channels or (Channel(),)):
            title = f'channel{number}'
            run('enable-channel', '--userspace', '--session', name, f'--buffers-{buffers}',
                '--overwrite' if snapshot else '--discard',
                *([f'--switch-timer={channel.switch_us}'] if channel.switch_us else []),
                f'--subbuf-size={channel.subbuf_size}', f'--num-subbuf={channel.subbufs}', title)
            run('enable-event', '--userspace', '--session', name, '--channel', title,
                channel.events)
        if contexts:
            run('add-context', '--userspace', '--session', name, '--type', 'vpid', '--type',
                'vtid', '--type', 'procname')
        run('start', name)
        try:
            yield self.emit
            if snapshot:
                run('snapshot', 'record', '--session', name, seconds=SECONDS)
        finally:
            run('stop', name, seconds=SECONDS)
            run('destroy', name, seconds=SECONDS)

    def emit(self, script: str) -> int:
        # The allocator that comes with the provider has nothing to tell here.
        env = {**lttng.environment(self.daemon.home), 'LTTNG_UST_REGISTER_TIMEOUT': '20000',
               'HAKMEM_TRACE': '0'}
        with subprocess.Popen([self.emitter, PROVIDER], stdin=subprocess.PIPE, text=True,
                              env=env) as process:
            process.communicate(script, timeout=SECONDS)
        assert process.returncode == 0
        return process.pid


def compiled(folder: Path) -> Path:
    program = folder / 'emit'
    subprocess.run(['gcc', '-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror',
                    f'-I{ROOT / "tracepoints"}', '-o', program,
                    Path(__file__).with_name('emit.c'), '-ldl'], check=True, timeout=SECONDS)
    return program


@contextlib.contextmanager
def recorder(folder: Path) -> Iterator[Recorder]:
    daemon = daemons.find_or_start(folder, private=True)
    try:
        yield Recorder(compiled(folder), daemon)
    finally:
        daemon.close()


def unprivileged() -> list[str]:
    """A command prefix under which root is nobody."""
    return ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] \
        if os.geteuid() == 0 else []
