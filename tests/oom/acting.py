"""Lets a real program live, recorded in one way or the other."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from group import Group
from programs import Program
from remedies import Remedy, apply, in_shell
from running import SECONDS, until
from stage import Stage

# The program says who it is before it is one, so that it can be put into a group.
TELL = ['sh', '-c', 'echo $$; read -r go; exec "$@"', 'sh']


@dataclass
class Life:
    """One of a program. `done`: the second half is over."""
    program: Program
    folder: Path
    process: subprocess.Popen
    group: Optional[Group] = None
    pid: int = 0
    said: list[str] = field(default_factory=list)

    def begin(self) -> None:
        self.pid = int(self.process.stdout.readline())
        if self.group:
            self.group.put(self.pid)
        self.tell('')

    def tell(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):   # it may have ended by what goes wrong
            self.process.stdin.write(line + '\n')
            self.process.stdin.flush()

    def until_said(self, word: str) -> None:
        """Or until it ends, which may be what goes wrong with it."""
        for line in self.process.stdout:
            self.said.append(line.strip())
            if line.strip() == word:
                return

    def alive(self) -> bool:
        return Path(f'/proc/{self.pid}/exe').exists()

    def until_ended(self) -> None:
        assert until(lambda: not self.alive()), f'{self.program.name} does not end'

    def kill(self) -> None:
        """SIGKILL, of it and all that come from it."""
        for pid in reversed(family(self.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def terminate(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def close(self) -> int:
        """Its exit status, or that of who recorded it."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        code = self.process.wait(timeout=SECONDS)
        self.process.stdout.close()
        return code


def family(pid: int) -> list[int]:
    """It and its descendants, before them who they come from."""
    try:
        text = Path(f'/proc/{pid}/task/{pid}/children').read_text()
    except OSError:
        return []
    return [pid, *(each for child in text.split() for each in family(int(child)))]


@dataclass
class Troupe:
    """All lives of a program on a stage."""
    stage: Stage
    program: Program
    lives: list[Life] = field(default_factory=list)

    def recorded(self) -> dict[str, tuple[Path, int]]:
        """From its begin to its end by `hak record`, and by flight: by its trigger, and when
        somebody asks."""
        stage, program = self.stage, self.program
        stage.flight.start()
        life = self._life('recorded', 'record', '-o', stage.folder / 'session', '--')
        traces = {'session': (stage.folder / 'session', life.pid)}
        program.play.first(life)
        program.play.second(life)
        if program.trigger:
            traces['trigger'] = self._copy(stage.flight.taken(program.trigger), 'trigger'), life.pid
        traces['dump'] = self._copy(stage.flight.dump(), 'dump'), life.pid
        program.play.end(life)
        life.close()
        assert stage.flight('stop').code == 0
        return traces

    def late(self) -> dict[str, tuple[Path, int]]:
        """By a session that begins when half of it is over, if it is not all over by then, beside
        flight, whose shared memory is what remains after SIGKILL."""
        stage, program = self.stage, self.program
        stage.flight.start()
        life = self._life('late')
        program.play.first(life)
        traces = {}
        if life.alive():
            with stage.session('late', stage.folder / 'late'):
                self._to_death(life)
            traces['late'] = stage.folder / 'late', life.pid
        life.close()
        traces['memory'] = self._copy(stage.flight.shm, 'memory'), life.pid
        assert stage.flight('stop').code == 0
        return traces

    def killed(self) -> dict[str, tuple[Path, int]]:
        """By `hak record` until it is killed."""
        life = self._life('killed', 'record', '-o', self.stage.folder / 'killed', '--')
        self.program.play.first(life)
        self._to_death(life)
        life.close()
        return {'killed': (self.stage.folder / 'killed', life.pid)}

    def _to_death(self, life: Life) -> None:
        self.program.play.second(life)
        time.sleep(self.program.rest)
        life.kill()
        life.until_ended()

    def changed(self, name: str, remedy: Remedy) -> tuple[Path, int]:
        """Once more by `hak record`, with a remedy."""
        target = self.stage.folder / name
        apply(remedy, self.stage.group, self.program.group)
        life = self._life(name, 'record', '-o', target, '--', remedy=remedy)
        self.program.play.first(life)
        self.program.play.second(life)
        self.program.play.end(life)
        life.close()
        return target, life.pid

    def _copy(self, what: Path, name: str) -> Path:
        return shutil.copytree(what, self.stage.folder / name)

    def _life(self, name: str, *recorder, remedy: Optional[Remedy] = None) -> Life:
        program, hak = self.program, self.stage.daemon.hak
        folder = self.stage.folder / f'{name}.files'
        folder.mkdir()
        if hak.prefix:
            shutil.chown(folder, 'nobody')
        program.play.prepare(folder, hak)
        first = remedy.after(program.limit) if remedy else program.limit
        argv = [*TELL, *in_shell(first),
                *(str(word).replace('{folder}', str(folder)) for word in program.argv)]
        env = {'HAKMEM_OOM_REPORT': '0', **program.env}
        with open(self.stage.folder / f'{name}.log', 'ab') as log:
            process = (hak.start(*recorder, *argv, env=env, stdin=subprocess.PIPE, stderr=log)
                       if recorder else hak.launch(*argv, env=env, stderr=log))
        life = Life(program, folder, process, self.stage.group)
        self.lives.append(life)
        life.begin()
        return life

    def clear(self) -> None:
        for life in self.lives:
            life.kill()
            if life.process.poll() is None:
                life.process.kill()
            life.process.wait(timeout=SECONDS)
