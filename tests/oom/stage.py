"""Plays a scenario with the puppet, once for each way of recording it."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Optional

import group
import pytest
import scenarios
from flying import Flight
from group import Group
from remedies import Remedy, apply, in_shell
from running import ROOT, SECONDS, Hak, UsersDaemon, until

PUPPET = ROOT / 'build/tests/oom/puppet'
TICK = {'HAKMEM_TICK': '30', 'HAKMEM_OOM_REPORT': '0'}
# A limit on its address space that it is far from: what comes nearer later is noticed soon, while
# a process without any limit is looked at every five seconds only.
FAR = ['prlimit', f'--as={4 * scenarios.memory()}:unlimited']
# Ticks until pressure has been looked at, and what a session begins with dumped once more.
LOOK = 14


@dataclass
class Puppet:
    process: subprocess.Popen
    pid: int = 0

    def __post_init__(self) -> None:
        self.pid = self._answer()

    def play(self, order: str) -> None:
        if order.startswith('rest '):
            self.tick(int(order.split()[1]))
        else:
            self.do(order)

    def do(self, order: str) -> int:
        self.tell(order)
        return self._answer()

    def tick(self, times: int = 2) -> None:
        """Returns when the allocator's helper thread has looked around so often."""
        begin = self._naps()

        def looked() -> bool:
            return self._naps() >= begin + times

        for _ in range(SECONDS // 2):
            if until(looked, seconds=2):
                return
            # Who never asks for memory has none, or lets it sleep.
            self.do('churn 64 500 1')
        raise AssertionError('the helper thread does not tick')

    def tell(self, order: str) -> None:
        """Without waiting for an answer."""
        self.process.stdin.write(f'{order}\n')
        self.process.stdin.flush()

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def _answer(self) -> int:
        line = self.process.stdout.readline()
        assert line, f'the puppet has died: {self.process.wait(timeout=SECONDS)}'
        return int(line)

    def _naps(self) -> int:
        for task in Path(f'/proc/{self.pid}/task').iterdir():
            with contextlib.suppress(FileNotFoundError):
                if (task / 'comm').read_text() == 'hakmem-tick\n':
                    for line in (task / 'status').read_text().splitlines():
                        if line.startswith('voluntary_ctxt_switches:'):
                            return int(line.split()[1])
        return 0


@dataclass
class Stage:
    daemon: UsersDaemon
    flight: Flight
    folder: Path
    started: list[Puppet] = field(default_factory=list)
    group: Optional[Group] = None    # the memory cgroup that all puppets are put into

    def at_once(self, scenario, every: bool) -> dict[str, tuple[Path, int]]:
        """One life of the puppet, under `hak record` and flight: a session's recording, its
        snapshots, and what is in shared memory after SIGKILL."""
        self.flight.start()
        puppet = self._played(scenario, 'session')
        copies = {}
        if scenario.trigger:
            copies['trigger'] = self._copy(self.flight.taken(scenario.trigger), 'trigger')
        if every or not scenario.trigger:
            copies['dump'] = self._copy(self.flight.dump(), 'dump')
        self._end(puppet)
        copies['memory'] = self._copy(self.flight.shm, 'memory')
        assert self.flight('stop').code == 0
        return {way: (trace, puppet.pid)
                for way, trace in {'killed': self.folder / 'session', **copies}.items()}

    def late(self, scenario) -> tuple[Path, int]:
        """Another life: the session begins when part of the story is over."""
        target = self.folder / 'late'
        puppet = self.alone(scenario)
        for order in scenario.before:
            puppet.play(order)
        with self.session('late', target):
            puppet.tick(LOOK)
            for order in scenario.after:
                puppet.play(order)
            puppet.tick(LOOK)
            if self.group:
                self._end(puppet)
        self._end(puppet)
        return target, puppet.pid

    def alone(self, scenario, **options) -> Puppet:
        """A puppet that whoever records finds by the session daemon."""
        return self._started(self._hak(scenario).launch(
            PUPPET, env=self._env(scenario), stderr=self._log('alone'), **options))

    @contextlib.contextmanager
    def session(self, name: str, target: Path):
        """A recording as the README has it for programs that run already."""
        lttng = self.daemon.lttng
        lttng('create', name, f'--output={target}')
        lttng('enable-channel', '-u', '-s', name, '--subbuf-size=32K', '--num-subbuf=16', 'all')
        lttng('enable-event', '-u', '-s', name, '-c', 'all', 'hakmem:*',
              '--exclude=hakmem:alloc,hakmem:free')
        lttng('add-context', '-u', '-s', name, '-t', 'vpid', '-t', 'vtid', '-t', 'procname')
        lttng('start', name)
        try:
            yield
        finally:
            lttng('destroy', name)

    def _end(self, puppet: Puppet) -> None:
        """By SIGKILL: of the kernel, where the puppet is limited by it."""
        if puppet.process.poll() is not None:
            return
        if self.group and self.group.full():
            puppet.tell('hold 4096 10000000')
        else:
            puppet.kill()
        assert puppet.process.wait(timeout=SECONDS) in (-signal.SIGKILL, 128 + signal.SIGKILL)

    def clear(self) -> None:
        for puppet in self.started:
            if puppet.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    puppet.kill()
                puppet.process.wait(timeout=SECONDS)
            puppet.process.stdin.close()
            puppet.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def changed(self, scenario, name: str, remedy: Remedy) -> tuple[Path, int]:
        """Once more by `hak record`, with a remedy."""
        apply(remedy, self.group, scenario.group)
        puppet = self._played(scenario, name, in_shell(remedy.shell))
        self._end(puppet)
        return self.folder / name, puppet.pid

    def _recorded(self, scenario, name: str = 'session', shell: Sequence[str] = ()) -> Puppet:
        process = self._hak(scenario).start(
            'record', '-o', self.folder / name, '--tier', scenario.tier, '--', *shell, PUPPET,
            env=self._env(scenario), stdin=subprocess.PIPE, stderr=self._log('record'))
        return self._started(process)

    def _played(self, scenario, name: str, shell: Sequence[str] = ()) -> Puppet:
        puppet = self._recorded(scenario, name, shell)
        puppet.tick()
        for order in (*scenario.before, *scenario.after):
            puppet.play(order)
        puppet.tick(LOOK)
        return puppet

    def _copy(self, what: Path, name: str) -> Path:
        return shutil.copytree(what, self.folder / name)

    def _group_env(self) -> dict[str, str]:
        return {'PUPPET_CGROUP': str(self.group.path)} if self.group else {}

    def _env(self, scenario) -> dict[str, str]:
        return {**({} if scenario.plain else TICK), **self._group_env(), **scenario.env}

    def _hak(self, scenario) -> Hak:
        far = [] if scenario.plain else FAR
        return replace(self.daemon.hak, prefix=[*self.daemon.hak.prefix, *far])

    def _started(self, process: subprocess.Popen) -> Puppet:
        puppet = Puppet(process)
        self.started.append(puppet)
        if self.group:
            self.group.put(puppet.pid)
        return puppet

    def _log(self, name: str):
        return open(self.folder / f'{name}.log', 'ab')


@dataclass
class Answer:
    """What `hak oom` says of one process."""
    code: int
    causes: list[str]
    insufficient: list[str]
    whole: dict


@contextlib.contextmanager
def in_group(stage: Stage, mib: int) -> Iterator[None]:
    """Of so many MiB, if any."""
    if not mib:
        yield
        return
    if not group.available():
        pytest.skip('no memory cgroup can be made here')
    with group.limited(mib) as stage.group:
        yield


def told(trace: Path) -> dict:
    """`hak oom TRACE --json`, without the time an interpreter takes to start."""
    from hak import cli

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(['oom', str(trace), '--json'])
    assert code in (0, 1), err.getvalue()
    return {**json.loads(out.getvalue()), 'code': code}


def asked(trace: Path, pid: Optional[int] = None) -> Answer:
    whole = told(trace)
    ours = [process for process in whole['processes'] if pid in (None, process['pid'])]
    assert ours, f'nothing is said of process {pid}: {whole}'
    return Answer(whole['code'], [verdict['cause'] for verdict in ours[-1]['verdicts']],
                  [each['cause'] for each in ours[-1]['insufficient']], ours[-1])
