"""hak top in a terminal of tmux's: what people see, keys, sizes, ends."""

import os
import re
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass

import pytest
from conftest import CAPPED, ROOT, inner, trouble
from running import SECONDS


@dataclass
class Terminal:
    """A tmux server of the test's own, in which one hak top runs."""
    stage: object
    socket: str

    def tmux(self, *words: str) -> str:
        # Without SHELL tmux runs commands by the user's login shell, and nobody's is nologin.
        done = subprocess.run([*self.stage.hak.prefix, 'tmux', '-S', self.socket, '-f',
                               '/dev/null', *words], env=self.stage.environment(SHELL='/bin/bash'),
                              capture_output=True, text=True, timeout=SECONDS, check=False,
                              cwd=self.stage.hak.cwd)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def open(self, *args: str, width: int = 80, height: int = 24) -> None:
        """After top the shell says how it ended, below what was on the screen before it."""
        top = shlex.join([str(ROOT / 'scripts/hak'), 'top', *args])
        self.tmux('new-session', '-d', '-x', str(width), '-y', str(height),
                  f'echo before; {top}; echo code $?; read line')

    def keys(self, *keys: str) -> None:
        self.tmux('send-keys', *keys)

    def resize(self, width: int, height: int) -> None:
        self.tmux('resize-window', '-x', str(width), '-y', str(height))

    def screen(self) -> str:
        return self.tmux('capture-pane', '-p')

    def see(self, pattern: str) -> str:
        """The screen, when the pattern is on it."""
        deadline = time.monotonic() + SECONDS
        while not re.search(pattern, screen := self.screen(), re.MULTILINE):
            assert time.monotonic() < deadline, f'no {pattern} in\n{screen}'
            time.sleep(0.05)
        return screen


@pytest.fixture
def terminal(stage):
    terminal = Terminal(stage, f'{stage.hak.cwd}/tmux.sock')
    yield terminal
    terminal.tmux('kill-server')


def test_numbers_move_keys_work_and_quitting_gives_the_terminal_back(stage, terminal):
    terminal.open('--interval', '0.2')
    terminal.see(r'^ hak top  live')
    steady = stage.steady()
    capped = stage.program('shared_fail', 2500, **CAPPED)
    first = terminal.see(r'C\d+ \([\d,]+ B\) +\d+ +\d+ +\d+ +\d+ +[1-9]')
    assert all(len(line) <= 80 for line in first.splitlines())
    assert 'q quit' in first.splitlines()[23]
    clock, = re.findall(r'\d\d:\d\d:\d\d', first.splitlines()[0])
    terminal.see(rf'^ hak top  live  (?!{clock})\d\d:\d\d:\d\d')

    trouble(capped)
    terminal.see(r'shared_fail ×[\d.k]+ .*C6: FAIL_SOFT_CAP, 2 ACTIVE of 2')
    # By FAILS, the fourth of the sorts, the one with the refusals comes first.
    terminal.keys('s', 's', 's')
    terminal.see(rf'FAILS\s*\n\s*{inner(capped)} trouble')
    terminal.keys('Down')
    terminal.see(rf'^{inner(steady)} perl  RSS')
    terminal.keys('Up')
    terminal.see(rf'^{inner(capped)} trouble  RSS')

    terminal.keys('Space')
    paused = terminal.see(r'paused  ')
    time.sleep(0.6)   # three intervals in which nothing may change
    assert terminal.screen() == paused
    terminal.keys('Space', 'h')
    terminal.see(r'pick a process')
    terminal.keys('h', 'q')
    left = terminal.see(r'^code 0')
    assert 'before' in left and 'FAILURES' not in left


def test_any_size_is_drawn_and_the_daemons_death_is_survived(stage, terminal, users_daemon):
    terminal.open('--interval', '0.2', width=60, height=12)
    terminal.see(r'^ hak top  live')
    stage.steady()
    terminal.see(r'perl')
    terminal.resize(30, 5)
    terminal.see(r'needs 40×10')
    terminal.resize(132, 50)
    wide = terminal.see(r'MAPS/s')
    assert 'q quit' in wide.splitlines()[49]
    os.kill(users_daemon.pid(), signal.SIGKILL)
    users_daemon.process.wait(timeout=SECONDS)
    assert 'perl' in terminal.see(r'ended: .*waiting for the next session')
    terminal.see(r'^ hak top  live')
    # Ctrl-C ends it as q does.
    terminal.keys('C-c')
    terminal.see(r'^code 0')


def test_a_terminal_nobody_knows_gets_one_line(stage, terminal):
    terminal.open()
    terminal.see('hak top')
    terminal.tmux('kill-session')
    terminal.tmux('new-session', '-d', '-x', '90', '-y', '24',
                  f'TERM=nonesuch {ROOT}/scripts/hak top; echo code $?; read line')
    assert 'nonesuch' in terminal.see(r'^code 3')
