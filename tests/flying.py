"""Flight as its users run it: an ordinary user with a home, and so a session daemon, of its own."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import pytest
import running
from running import ROOT, SECONDS, until

TROUBLE = ROOT / 'build/tests/flight/trouble'
# Every request of 512 bytes beyond two slabs of them is a shared_fail.
CAPPED = {'HAKMEM_SS_EMPTY_RECYCLE': 'off', 'HAKMEM_TINY_CAP': '6:2'}


@dataclass
class Program:
    process: subprocess.Popen

    def trouble(self) -> None:
        """Has it, and returns when it is over."""
        self.process.stdin.write('\n')
        self.process.stdin.flush()
        assert self.process.stdout.readline() == 'done\n'

    def pid(self) -> int:
        """Its own: runuser stays between us and it."""
        children = Path(f'/proc/{self.process.pid}/task/{self.process.pid}/children')
        return int((children.read_text().split() or [self.process.pid])[0])

    def end(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(timeout=SECONDS) == 0


@dataclass
class Flight:
    hak: running.Hak
    shm: Path
    started: list[Program] = field(default_factory=list)

    def __call__(self, *args, **options) -> running.Result:
        return self.hak('flight', *args, **options)

    def start(self, *options) -> running.Result:
        result = self('start', '--shm', self.shm, *options)
        assert result.code == 0, result.err
        return result

    def status(self) -> dict:
        result = self('status', '--json')
        assert result.out, result.err
        return {**json.loads(result.out), 'code': result.code}

    def trigger(self, name: str) -> dict:
        return next(each for each in self.status()['triggers'] if each['name'] == name)

    def dump(self, *args) -> Path:
        result = self('dump', *args)
        assert result.code == 0, result.err
        return Path(result.out.strip())

    def snapshots(self, cause: str = '') -> list[Path]:
        """Without hak: what lies on the disk."""
        folder = Path(self.hak.env['HOME']) / '.local/state/hakmem/flight/snapshots'
        return sorted(path for path in folder.glob(f'{cause}*-*-*-*')
                      if path.is_dir()) if folder.is_dir() else []

    def taken(self, cause: str) -> Path:
        """The one snapshot for this cause, when LTTng has written all of it."""
        assert until(lambda: self.snapshots(cause)), self('status').out
        snapshot, = self.snapshots(cause)
        settled(snapshot)
        return snapshot

    def program(self, *args, attached: bool = True, **env) -> Program:
        """Runs `trouble`; attached: returns when the session daemon knows it."""
        process = self.hak.launch(TROUBLE, *args, env=env, stderr=subprocess.DEVNULL)
        self.started.append(Program(process))
        assert process.stdout.readline() == 'ready\n'
        if attached:
            assert until(lambda: self.attached(self.started[-1])), 'the daemon does not know it'
        return self.started[-1]

    def attached(self, program: Program) -> bool:
        return program.pid() in [each['pid'] for each in self.status()['processes']]

    def verify(self, trace: Path, expect: int = 0) -> str:
        result = self.hak('verify', trace)
        assert result.code == expect, result.out + result.err
        return result.out

    def daemon(self) -> int:
        return int((Path(self.hak.env['HOME']) / '.lttng/lttng-sessiond.pid').read_text())

    def state(self) -> dict:
        folder = Path(self.hak.env['HOME']) / '.local/state/hakmem/flight'
        return json.loads((folder / 'state.json').read_text())


@pytest.fixture
def flight(user_hak) -> Iterator[Flight]:
    yield from in_shm(user_hak)


def in_shm(hak: running.Hak) -> Iterator[Flight]:
    shm = Path(tempfile.mkdtemp(prefix='hak-test-', dir='/dev/shm'))
    if hak.prefix:
        shutil.chown(shm, 'nobody')
    flight = Flight(hak, shm / 'flight')
    try:
        yield flight
    finally:
        for program in flight.started:
            if program.process.poll() is None:
                kill(program)
        stopped = flight('stop')
        left = list(shm.rglob('*'))
        shutil.rmtree(shm, ignore_errors=True)
    assert stopped.code == 0, stopped.err
    assert not left, left


def settled(snapshot: Path) -> None:
    """Returns when it does not grow any more."""
    def state() -> list:
        return sorted((path, path.stat().st_size) for path in snapshot.rglob('*'))

    before = None
    while before != (now := state()):
        before = now
        time.sleep(0.2)


def kill(program: Program) -> None:
    """SIGKILL, and nothing less."""
    os.kill(program.pid(), 9)
    program.process.wait(timeout=SECONDS)


def events(trace: Path, name: Optional[str] = None) -> list[str]:
    found = running.events(trace)
    return found if name is None else running.named(found, name)
