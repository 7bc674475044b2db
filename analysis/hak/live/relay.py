"""A live session of our own: a relay daemon on loopback, and a session that sends to it.

A relay daemon shows what it has, and writes what it is told, to everybody who can connect. With
the gate (analysis/relay/gate.c) preloaded, ours talks to our own user and root only.

What the relay daemon keeps is bounded: a viewer that falls behind loses the oldest packets, and
says so, instead of filling the disk.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hak import buffers, catalogue, daemon, limits, lttng, owned, paths, processes
from hak.errors import HakError

START_SECONDS = 10
STOP_SECONDS = 5
# Streams are sent at least this often.
LIVE_MICROSECONDS = 500_000
# Of one CPU's stream of one channel, on the disk.
FILES, FILE_BYTES = 4, 4 * buffers.MIB
# What a live view does not tell is not recorded for it: the two events that every acquire has
# beside slab_active, and the dump's lists of slabs.
LEFT_OUT = {'acquire_begin', 'acquire_stage', 'statedump_slab', 'statedump_superslab',
            'thread_start', 'thread_exit', 'slab_release', 'slab_publish', 'config'}
_NAME = re.compile(r'hak-top-(\d+)-(hak-\w+)')
BUFFERS = {'lifecycle': buffers.Buffers(buffers.MIB // 2, 4),
           'statedump': buffers.Buffers(buffers.MIB // 8, 4),
           'flow': buffers.Buffers(buffers.MIB, 4)}


@dataclass
class Relay:
    process: subprocess.Popen
    folder: Path
    control: int
    data: int
    live: int

    def url(self) -> str:
        return f'net://127.0.0.1:{self.live}'

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class OwnSession:
    """Made, but not started: the reader attaches first, so that it misses nothing."""
    session: lttng.Session
    url: str

    def start(self) -> None:
        self.session.start()


@contextlib.contextmanager
def own_session(tier: str) -> Iterator[OwnSession]:
    """In the running session daemon, or else in one that we start where programs look for it."""
    with contextlib.ExitStack() as stack:
        used = daemon.running() or daemon.start_visible()
        stack.callback(used.close)
        _sweep(used.client)
        relay = start(used.folder / 'relay')
        stack.callback(relay.close)
        session = _create(used, relay, tier)
        stack.callback(_destroy, session)
        yield OwnSession(session, _viewed_at(relay, session.name))


def start(folder: Path) -> Relay:
    """In a new folder, which goes with it; behind the gate."""
    gate = paths.gate()
    relay = launch(folder, {'LD_PRELOAD': str(gate)})
    # The loader only complains of what it cannot preload, and others must not get in.
    if gate.name not in processes.maps(relay.process.pid):
        relay.close()
        raise HakError('what keeps others from the relay daemon cannot be preloaded into it',
                       f'see whether {gate} can be loaded')
    return relay


def launch(folder: Path, more: dict[str, str]) -> Relay:
    """Open to everybody, unless `more`, which it gets in its environment, keeps them out."""
    program = shutil.which('lttng-relayd')
    if program is None:
        raise HakError('lttng-relayd is missing', lttng.INSTALL)
    folder.mkdir(mode=0o700)
    control, data, live = _free_ports(3)
    command = [program, f'--control-port=tcp://127.0.0.1:{control}',
               f'--data-port=tcp://127.0.0.1:{data}', f'--live-port=tcp://127.0.0.1:{live}',
               f'--output={folder}']
    env = {**lttng.environment(folder), **limits.thrifty(), **more}
    with open(folder / 'log', 'wb') as log:
        process = subprocess.Popen(['setpriv', '--pdeathsig', 'TERM', *command], cwd='/', env=env,
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   start_new_session=True, preexec_fn=_unburden)
    relay = Relay(process, folder, control, data, live)
    try:
        _await(relay)
    except BaseException:
        relay.close()
        raise
    return relay


def _unburden() -> None:
    limits.lift()
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def _await(relay: Relay) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if relay.process.poll() is not None:
            said = (relay.folder / 'log').read_text(errors='replace').strip().splitlines()
            raise HakError('the relay daemon did not start: '
                           + (said[-1] if said else f'exit code {relay.process.returncode}'))
        if all(_listens(port) for port in (relay.control, relay.data, relay.live)):
            return
        time.sleep(0.02)
    raise HakError(f'the relay daemon did not answer in {START_SECONDS} s')


def _listens(port: int) -> bool:
    """By the kernel's table: a connection would be one more viewer to the daemon."""
    wanted = f'0100007F:{port:04X}'
    with open('/proc/net/tcp', encoding='ascii') as table:
        rows = [line.split()[1:4] for line in table]
    return any(local == wanted and state == '0A' for local, _, state in rows[1:])


def _free_ports(count: int) -> list[int]:
    """LTTng does not choose its ports itself."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(('127.0.0.1', 0))
        return [each.getsockname()[1] for each in sockets]


def _sweep(client: lttng.Client) -> None:
    """Removes what a hak top that was killed has left."""
    for name in client.sessions():
        match = _NAME.fullmatch(name)
        if match and not processes.started(int(match[1])):
            _destroy(lttng.Session(client, name))
            owned.remove_tree(daemon.folders() / match[2])


def _create(used: daemon.Daemon, relay: Relay, tier: str) -> lttng.Session:
    # Named after our process and our folder, for _sweep.
    client, name = used.client, f'hak-top-{os.getpid()}-{used.folder.name}'
    client.run('create', name, f'--live={LIVE_MICROSECONDS}',
               f'--set-url=net://127.0.0.1:{relay.control}:{relay.data}')
    session = lttng.Session(client, name)
    try:
        channels = _channels(tier)
        chosen = buffers.fitting({channel: BUFFERS[channel] for channel in channels},
                                 buffers.free_shm())
        for channel, events in channels.items():
            session.add_live_channel(channel, events, chosen[channel], FILES, FILE_BYTES)
    except BaseException:
        _destroy(session)
        raise
    return session


def _channels(tier: str) -> dict[str, list[str]]:
    recorded = catalogue.recorded_by(tier)
    told = {channel: [event for event in events if event not in LEFT_OUT]
            for channel, events in recorded.items()}
    return {channel: events for channel, events in told.items() if events}


def _destroy(session: lttng.Session) -> None:
    with contextlib.suppress(HakError):   # the daemon may have died: that was told
        session.destroy()


def _viewed_at(relay: Relay, name: str) -> str:
    return f'{relay.url()}/host/{socket.gethostname()}/{name}'
