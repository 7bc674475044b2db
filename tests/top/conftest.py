"""hak top as its users run it: an ordinary user, with a session daemon of his own or with none.

What runs hak and sees what it leaves behind is running.py's.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import running  # noqa: E402
from flying import CAPPED, TROUBLE  # noqa: E402
from running import LIBRARY, ROOT, SECONDS, Hak, mark, user_hak, users_daemon  # noqa: E402

__all__ = ['CAPPED', 'mark', 'user_hak', 'users_daemon']
DASHBOARD = ROOT / 'dashboards/grafana/hakmem.json'


@dataclass
class Top:
    """A hak top that runs, and what it has said."""
    process: subprocess.Popen
    said: list[dict] = field(default_factory=list)

    def until(self, holds: Callable[[dict], bool]) -> dict:
        """The first JSON line that is so."""
        for line in self.process.stdout:
            self.said.append(json.loads(line))
            if holds(self.said[-1]):
                return self.said[-1]
        raise AssertionError(f'hak top ended: {self.process.stderr.read()} {self.said[-2:]}')

    def live(self) -> None:
        """From now on a program that starts is seen from its beginning."""
        self.until(lambda told: told['state'] == 'live')

    def pid(self) -> int:
        return inner(self.process)


@dataclass
class Stage:
    """Programs and hak top beside each other, for one user."""
    hak: Hak
    programs: list[subprocess.Popen] = field(default_factory=list)
    tops: list[Top] = field(default_factory=list)

    def environment(self, **more: str) -> dict[str, str]:
        env = {**os.environ, **self.hak.env, running.MARK: self.hak.mark,
               'TMPDIR': str(running.folder_of(self.hak.mark)), **more}
        return {key: value for key, value in env.items() if value is not None}

    def program(self, *args, **env) -> subprocess.Popen:
        """Runs `trouble`; returns when it runs."""
        return self.run(str(TROUBLE), *map(str, args), **env)

    def steady(self, perl: str = 'perl') -> subprocess.Popen:
        """Some hundred acquires a second, for as long as it lives."""
        return self.run(perl, '-e', """
            $| = 1; print "ready\\n";
            while (1) { my @blocks = map { 'x' x 500 } 1 .. 9000; select undef, undef, undef, 0.1 }
        """)

    def run(self, *command, **env) -> subprocess.Popen:
        process = subprocess.Popen(
            [*self.hak.prefix, 'env', f'LD_PRELOAD={LIBRARY}', *command],
            env=self.environment(HAKMEM_TRACE='1', **env), cwd=self.hak.cwd, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.programs.append(process)
        assert process.stdout.readline() == 'ready\n'
        return process

    def top(self, *args, **options) -> Top:
        self.tops.append(Top(self.hak.start('top', *args, **options)))
        return self.tops[-1]

    def close(self) -> None:
        for process in [*(top.process for top in self.tops), *self.programs]:
            if process.poll() is None:
                os.kill(inner(process), 15)
            process.communicate(timeout=SECONDS)


@pytest.fixture
def stage(user_hak) -> Iterator[Stage]:
    stage = Stage(user_hak)
    yield stage
    stage.close()


def inner(process: subprocess.Popen) -> int:
    """The pid of what runuser runs, which stays between us and it."""
    children = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()
    runs_as_another = Path(f'/proc/{process.pid}/comm').read_text().strip() == 'runuser'
    return int(children[0]) if runs_as_another and children else process.pid


def trouble(program: subprocess.Popen) -> None:
    """It has it, and it is over when this returns."""
    program.stdin.write('\n')
    program.stdin.flush()
    assert program.stdout.readline() == 'done\n'


def of(told: dict, program: subprocess.Popen) -> dict:
    """What a snapshot says of a program; empty if it does not know it yet."""
    pid = inner(program)
    return next((each for each in told['processes'] if each['pid'] == pid), {})


def dumped(told: dict, program: subprocess.Popen) -> bool:
    """Has a state dump of it come in?"""
    return 'vm' in of(told, program).get('memory', {})


@pytest.fixture
def relay(tmp_path):
    """A relay daemon like the user's own."""
    from hak.live import relay

    daemon = relay.launch(tmp_path / 'relay', {})
    yield daemon
    daemon.close()
