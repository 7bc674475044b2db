"""The watcher: the small process that stays while flight is on.

The session daemon takes the snapshots, with or without it. The watcher holds triggers off once
they have fired and arms them again, rotates old snapshots out, holds all triggers off while the
disk has no room for a snapshot, links the ring buffers' files to where they survive the session
daemon, and has the session made anew when a killed process has left a hole in the buffers.
It looks around twice a second: LTTng tells nobody when a snapshot is complete. Then a note of what
it consists of is put beside it.
"""

import contextlib
import copy
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Optional

from hak import daemon as daemons
from hak import flight_crash
from hak import flight_snapshots as snapshots
from hak import flight_state as states
from hak import flight_triggers as triggers
from hak import lttng, owned, paths, processes
from hak.errors import HakError
from hak.flight_snapshots import Snapshot
from hak.flight_state import Fired, Process, Seen, State

PERIOD = 0.5
# Between two looks at the daemon, the disk and the buffers.
PAUSE = 5.0
STOP_SECONDS = 10
REPAIR = 'run `hak flight start`'


def start(note: Callable[[Process], None]) -> None:
    """Starts the watcher of the state that is on the disk, and returns when it watches."""
    env = {**lttng.environment(), 'PYTHONPATH': str(paths.ROOT / 'analysis')}
    receiver, sender = os.pipe()
    with owned.ours(states.folder(), states.REMEDY) as folder, \
            folder.create('watch.log') as log, open(receiver, 'rb') as ready:
        try:
            child = processes.start_noted(
                [sys.executable, '-m', 'hak.flight_watch', str(sender)],
                lambda pid: note(Process.of(pid)), cwd='/', env=env, stdout=log, stderr=log,
                pass_fds=[sender], preexec_fn=_unblock)
        finally:
            os.close(sender)
        if not ready.read(1):
            why = folder.read('watch.log').decode(errors='replace').strip().splitlines()
            raise HakError('the watcher did not start',
                           why[-1] if why else f'exit code {child.wait()}')


def stop(watcher: Optional[Process]) -> None:
    if watcher is not None and watcher.alive():
        processes.end_session(watcher.pid, STOP_SECONDS)


def keep(live: Path, kept: Path) -> None:
    """Links what LTTng has laid out below `live` and we have not below `kept`."""
    for where, _, names in os.walk(live):
        # LTTng puts a folder in between, named after session and time.
        inner = Path(where).relative_to(live).parts[1:]
        for name in names:
            there = kept.joinpath(*inner, name)
            if not there.exists():
                # LTTng may take it away, and `hak flight status` link it, at this moment.
                with contextlib.suppress(FileNotFoundError, FileExistsError):
                    there.parent.mkdir(parents=True, exist_ok=True)
                    os.link(Path(where) / name, there)


class Watcher:
    """`state` is what start has set up; `seen` is what has come of it, told to `hak flight
    status` through the disk."""

    def __init__(self, state: State, seen: Seen):
        self.state = state
        self.seen = seen
        self.conditions = {condition.name: condition for condition in triggers.known()}
        self.armed: set[str] = set()
        # Armed, but will not fire again. What fired while nobody watched is not known.
        self.spent = set(self.conditions)
        self.next_look = 0.0
        self.told: Optional[Seen] = None
        # Of snapshots: that say what they consist of; how large those are that do not yet.
        self.noted: set[str] = set()
        self.extents: dict[str, dict[Path, int]] = {}
        self.next_holes = 0.0
        self.holes: set[str] = set()
        for name in self.conditions:
            seen.fired.setdefault(name, Fired())

    def turn(self, now: float) -> None:
        keep(self.state.live, self.state.kept)
        if now >= self.next_look or snapshots.names(self.state.output) != set(self.seen.seen):
            there = snapshots.listed(self.state.output)
            self._notice(there, now)
            self._rotate(there)
        self._note_whole()
        wanted = self._wanted(now)
        if now >= self.next_look or self.spent or wanted != self.armed:
            self._look(now)
        if now >= self.next_holes:
            self._look_for_holes(now)
        self._tell()

    def _notice(self, there: list[Snapshot], now: float) -> None:
        """Snapshots that were not there before."""
        before = set(self.seen.seen)
        for snapshot in there:
            if snapshot.name not in before and snapshot.cause in self.seen.fired:
                self.seen.fired[snapshot.cause].count += 1
                self.seen.fired[snapshot.cause].last = snapshot.taken
                self._hold_off(snapshot.cause, now)
        self.seen.seen = [snapshot.name for snapshot in there]

    def _note_whole(self) -> None:
        """LTTng tells nobody when a snapshot is complete: it is when it does not grow."""
        for name in snapshots.names(self.state.output) - self.noted:
            path = self.state.output / name
            before, self.extents[name] = self.extents.get(name), snapshots.extent(path)
            if snapshots.noted(path) or before and before == self.extents[name]:
                if not snapshots.noted(path):
                    snapshots.note(path)
                self.noted.add(name)
                del self.extents[name]

    def _rotate(self, there: list[Snapshot]) -> None:
        settings = self.state.settings
        removed = snapshots.rotate(there, settings.keep, settings.max_bytes)
        self.seen.removed += len(removed)
        for snapshot in removed:
            self.seen.seen.remove(snapshot.name)

    def _hold_off(self, name: str, now: float) -> None:
        self.seen.fired[name].resumes = now + self.state.settings.every
        self.spent.add(name)

    def _wanted(self, now: float) -> set[str]:
        return set() if self.seen.full else {
            name for name in self.conditions if now >= self.seen.fired[name].resumes}

    def _look(self, now: float) -> None:
        """At the disk and the daemon; and makes the daemon's triggers what they ought to be."""
        if now < self.next_look and self.seen.trouble:
            return  # it has only just gone wrong
        self.next_look = now + PAUSE
        self.seen.full = self._full()
        try:
            with daemons.visited() as client:
                if client is None:
                    raise HakError('the session daemon is gone', REPAIR)
                if self.state.session not in client.sessions():
                    raise HakError(f'the session {self.state.session} is gone', REPAIR)
                self._reconcile(client, now)
            self.seen.trouble = ''
        except HakError as error:
            self.seen.trouble = error.line()

    def _reconcile(self, client: lttng.Client, now: float) -> None:
        there = triggers.armed(client, self.state.session)
        for name in there.keys() & self.conditions.keys():
            if there[name].failed and name not in self.spent:
                self._hold_off(name, now)
        wanted = self._wanted(now)
        for name in sorted(there):
            if name not in wanted or name in self.spent:
                triggers.disarm(client, self.state.session, name)
                if name in self.seen.fired:
                    self.seen.fired[name].failed += there[name].failed
                    self.seen.fired[name].discarded += there[name].discarded
            else:
                wanted.discard(name)
        self.spent.clear()
        for name in sorted(wanted):
            triggers.arm(client, self.state.session, self.state.settings.output,
                         self.conditions[name])
        self.armed = self._wanted(now)

    def _look_for_holes(self, now: float) -> None:
        """Only a new session records on where a killed process left one."""
        self.next_holes = now + PAUSE
        before, self.holes = self.holes, flight_crash.holes(self.state.kept, states.SUBBUFS)
        if before & self.holes:
            # It stops us, and starts another.
            subprocess.Popen([str(paths.hak()), 'flight', 'start'], env=lttng.environment(),
                             stdin=subprocess.DEVNULL, start_new_session=True)

    def _full(self) -> bool:
        """A snapshot for which the disk has no room would be torn."""
        room = snapshots.room(self.state.output)
        return room is not None and room < snapshots.tree_bytes(self.state.kept)

    def _tell(self) -> None:
        if self.told != self.seen:
            states.save_seen(self.seen)
            self.told = copy.deepcopy(self.seen)


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def _current(state: State) -> bool:
    try:
        there = states.load()
    except HakError:
        return False
    return there is not None and there.began == state.began


def main(ready: int) -> None:
    # Leaving tidies up: what is in use of /tmp, for one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        state = states.load()
        if state is None:
            sys.exit('flight is off')
        watcher = Watcher(state, states.load_seen())
        watcher.turn(time.time())
    except HakError as error:
        sys.exit(error.line())
    if watcher.seen.trouble:
        sys.exit(watcher.seen.trouble)
    os.write(ready, b'!')
    os.close(ready)
    while _current(state):
        # What fails now, such as writing to a full disk, may work later.
        with contextlib.suppress(OSError, HakError):
            watcher.turn(time.time())
        time.sleep(PERIOD)


if __name__ == '__main__':
    main(int(sys.argv[1]))
