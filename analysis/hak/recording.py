"""One recording from its session's creation to the words about what came of it."""

import os
import shlex
import subprocess
from pathlib import Path
from typing import Optional

from hak import daemon as daemons
from hak import completeness, fate, limits, lttng, preload, program, roll, ui
from hak.buffers import Buffers
from hak.errors import HakError

# Counting means reading: up to this size it takes no time that anybody notices.
COUNTED_BYTES = 16 << 20
COUNT_SECONDS = 20
UNREADABLE = -1


class Recording:
    """The state of a recording: open(), run(), close(); abandon() from wherever it failed."""

    def __init__(self, output: Path, name: str, channels: dict[str, tuple[list[str], Buffers]],
                 private: bool = False, singly: bool = False):
        self.output = output
        self.name = name
        self.channels = channels
        self.private = private
        self.singly = singly
        self.daemon: Optional[daemons.Daemon] = None
        self.session: Optional[lttng.Session] = None
        self.losses: Optional[lttng.Losses] = None
        self.trouble: list[str] = []
        self.begun = False   # the program runs or has run
        self.fate: Optional[fate.Fate] = None
        self.unrecorded: list[dict] = []   # who ran on hakmem, and no session knew it

    def open(self) -> None:
        program.stop_if_interrupted()
        self.daemon = daemons.find_or_start(self.output, self.private)
        self.session = lttng.create(self.daemon.client, self.name, self.output)
        for channel, (events, buffers) in self.channels.items():
            program.stop_if_interrupted()
            self.session.add_channel(channel, events, buffers)
        self.session.start()
        program.stop_if_interrupted()

    def run(self, executable: Path, argv: list[str], mask: set) -> int:
        roll.make(self._roll())
        env = {**os.environ, **preload.changes(os.environ, self.daemon.home, self.singly),
               roll.NAME: str(self._roll())}
        watch = fate.Watch()
        child = program.start(executable, argv, env, mask)
        self.begun = True
        limits.lift()
        code = program.wait(child)
        self.fate = watch.ended(argv, child)
        return code

    def _roll(self) -> Path:
        return self.daemon.folder / 'roll'

    def close(self) -> None:
        """The program has ended: its events go to the disk, what we set up goes away.

        Failures are told, not raised: the program has run and its exit code counts.
        """
        try:
            self.session.stop()
            self.losses = self.session.losses()
            self.session.destroy()
        except HakError as error:
            self.trouble.append('the session daemon ended before the program did'
                                if self.daemon.ended() else error.line())
        self.unrecorded = roll.read(self._roll())
        complaint = self.daemon.first_error()
        if complaint:
            self.trouble.append(complaint)
        if _disk_is_full(self.output):
            self.trouble.append(f'the disk is full at {self.output}')
        self._release()
        self._leave_note()

    def _leave_note(self) -> None:
        """For whoever reads the recording: what it consists of, and what went wrong with it."""
        try:
            if any(self.output.iterdir()):
                completeness.write_note(self.output, self.trouble,
                                        self.fate and self.fate.as_json(), self.unrecorded)
        except (OSError, HakError) as error:
            self.trouble.append(f'what it consists of cannot be noted: {error}')

    def abandon(self) -> None:
        if self.session is not None:
            try:
                self.session.destroy()
            except HakError:
                pass  # the daemon that would know the session is gone too, or about to go
        self._release()

    def _release(self) -> None:
        self.session = None
        if self.daemon is not None:
            self.daemon.close()
            self.daemon = None

    def summary(self) -> list[str]:
        """Lines for the user, the first with the trace's path, the last with what to do next."""
        shown = _shown(self.output)
        size = _bytes(self.output)
        count = _count(self.output) if 0 < size <= COUNTED_BYTES else None
        incomplete = [f'the recording is incomplete: {what}' for what in self.trouble]
        if size == 0 or count == UNREADABLE:
            return [f'nothing that can be read was recorded in {shown}', *(incomplete or [
                'the program ended before the session daemon knew it' if size else
                'no program made itself known to the session daemon: see `hak doctor --full`'])]
        lines = [f'recorded {shown}: ' + ', '.join(filter(None, [
            None if count is None else ui.counted(count, 'event'), ui.size(size),
            self._lost()])), *incomplete]
        if count == 0:
            lines.append('no events: did the program end before it allocated anything?')
        elif self.losses and self.losses.any():
            lines.append('to lose less: a larger --buffer-size or --subbufs, or a smaller --tier')
        if self.unrecorded:
            lines.append(roll.told(self.unrecorded))
        if self.fate and self.fate.starved:
            return [*lines, 'the kernel killed for want of memory while it ran, and it ended by '
                    'SIGKILL', f'next: hak oom {shown}']
        return [*lines, f'next: hak report {shown}']

    def _lost(self) -> str:
        if self.losses is None:
            return 'losses unknown'
        if not self.losses.any():
            return 'nothing lost'
        parts = [ui.counted(count, noun) for count, noun in
                 ((self.losses.events, 'event'), (self.losses.packets, 'packet')) if count]
        return ' and '.join(parts) + ' lost'


def _shown(path: Path) -> str:
    """As the user would type it."""
    relative = os.path.relpath(path)
    return shlex.quote(str(path) if relative.startswith('..') else relative)


def _bytes(folder: Path) -> int:
    """Of trace data; metadata and indexes alone are no recording."""
    return sum(path.stat().st_size for path in folder.rglob('*')
               if path.is_file() and path.suffix != '.idx'
               and path.name not in ('metadata', completeness.NOTE))


def _disk_is_full(path: Path) -> bool:
    stat = os.statvfs(path)
    return stat.f_bavail * stat.f_frsize < 1 << 20


def _count(folder: Path) -> Optional[int]:
    """Events in the trace, if Babeltrace's tool is there to count them, or UNREADABLE."""
    try:
        done = subprocess.run(['babeltrace2', str(folder), '--component=sink.utils.counter',
                               '--params=step=+0,hide-zero=yes'], env=lttng.environment(),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=COUNT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return UNREADABLE
    for line in done.stdout.splitlines():
        number, _, what = line.strip().partition(' ')
        if what.startswith('Event message'):
            return int(number)
    return 0
