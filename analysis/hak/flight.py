"""Flight: a recording session in overwrite mode that is always on, and its snapshots.

    session daemon   the user's own where it runs, else one that `start` starts and `stop` stops
      session        small ring buffers, for every process of the user that runs on hakmem
      triggers       take a snapshot by themselves            (flight_triggers.py)
    watcher          holds triggers off, rotates snapshots    (flight_watch.py)
    shared memory    live/: LTTng's files; kept/: links to them, which outlive the daemon
    state            what was set up                          (flight_state.py)

Unlike `hak record`, flight cannot have a daemon that only it knows: programs that others start
have to find it. So it is the ordinary one, of the user or, for root, of the machine.
"""

import contextlib
import os
import secrets
import shutil
import time
import zlib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Optional

from hak import buffers, catalogue, flight_crash, flight_watch, owned
from hak import daemon as daemons
from hak import flight_snapshots as snapshots
from hak import flight_state as states
from hak import flight_triggers as triggers
from hak.buffers import Buffers
from hak.errors import USAGE, HakError
from hak.flight_state import ON, STOPPING, SUBBUFS, Process, Settings, State
from hak.lttng import CONTEXTS, FLUSH_SECONDS, Client, elements

SHM = Path('/dev/shm')
DEFAULTS = {'keep': 32, 'max_bytes': 256 << 20, 'every': 60.0, 'buffer_size': 64 << 10}
# What comes with every refused request. In a storm it must not push out the rest.
REPEATING = {'acquire_begin', 'acquire_stage', 'shared_fail', 'legacy_alloc', 'shared_fail_sum',
             'legacy_alloc_sum', 'ace_fail_sum', 'oom_sum'}
REPAIR = flight_watch.REPAIR
# Longer than a writer may be off the CPU on a machine that is not in trouble.
HOLE_SECONDS = 0.2


def defaults() -> Settings:
    return Settings(output=str(states.folder() / 'snapshots'), shm=str(SHM), **DEFAULTS)


@dataclass
class Status:
    """`problems`: what keeps flight from working, each a line with its remedy."""
    state: State
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    active: bool = False
    armed: dict = field(default_factory=dict)
    processes: list[dict] = field(default_factory=list)
    losses: dict[str, dict] = field(default_factory=dict)
    snapshots: list = field(default_factory=list)
    seen: Optional[states.Seen] = None


def start(chosen: dict) -> tuple[State, list[str]]:
    """Switches flight on, or repairs what is left of it; `chosen`: settings that the user named.

    Returns what is on now, and what was done.
    """
    with states.turn():
        state, done, settings = states.load(), [], defaults()
        if state is not None:
            _adopt_home(state)
            if state.stage == ON:
                _refuse_changes(state, chosen)
                if not (problems := status(state).problems):
                    return state, ['flight is on already']
                done.append('repairing: ' + '; '.join(problems))
            else:
                done.append('repairing: an earlier start or stop was killed')
            settings = settings if state.stage == STOPPING else state.settings
            done += _clear(state)
            _remove_shm(state)
        settings = replace(settings, **chosen)
        state = _set_up(settings, state)
        done.append(f'flight is on: snapshots go to {settings.output}')
        return state, done


def stop() -> tuple[Optional[State], list[str]]:
    """Switches flight off. The snapshots stay. Returns what was on, and what was done."""
    with states.turn():
        try:
            state = states.load()
        except HakError as error:
            _stop_unknown()
            return None, [f'{error.message}, so what start calls by fixed names was removed',
                          'flight is off']
        if state is None:
            _end_daemon()
            states.forget()
            return None, ['flight is off already']
        _adopt_home(state)
        was, state.stage = state.stage, STOPPING
        with contextlib.suppress(HakError):   # a full disk: it only matters if we are killed
            states.save(state)
        done = _clear(replace(state, stage=was))
        _end_daemon()
        _remove_shm(state)
        states.forget()
        return state, [*done, f'flight is off: snapshots are in {state.settings.output}']


def _stop_unknown() -> None:
    """What was set up is not known."""
    _end_session(_session_name())
    _end_daemon()
    for folder in SHM.glob(f'{_session_name()}-*'):
        owned.remove_tree(folder)
    states.forget()


def dump(name: str, output: Optional[Path]) -> tuple[Path, str]:
    """Takes a snapshot now. Returns its path, and a note if it is not an ordinary one."""
    state = _existing()
    flight_watch.keep(state.live, state.kept)
    output = (output or state.output).absolute()
    _make_output(output)
    with daemons.visited() as client:
        if client is not None and state.session in client.sessions():
            return _record(client, state, name, output), ''
    target = snapshots.new_path(output, name)
    flight_crash.extract(state.kept, target)
    return target, ('the session daemon is gone, so this is what was in shared memory: '
                    'run `hak flight start` to record again')


def status(state: State) -> Status:
    flight_watch.keep(state.live, state.kept)
    result = Status(state, snapshots=snapshots.listed(state.output), seen=states.load_seen())
    if state.stage != ON:
        result.problems.append('a start or stop has not come to its end, or is at work: ' + REPAIR)
    watching = state.watcher is not None and state.watcher.alive()
    if not watching:
        result.problems.append('the watcher is gone, so triggers that have fired stay off and '
                               f'old snapshots stay: {REPAIR}')
    with daemons.visited() as client:
        if client is None:
            result.problems.append(f'the session daemon is gone: {REPAIR}')
        elif not _examined(client, result):
            result.problems.append('the session is gone, its daemon has been restarted or '
                                   f'somebody has destroyed it: {REPAIR}')
        elif _holes(state):
            result.problems.append('a process that was killed while it wrote has left a hole '
                                   'in the buffers, at which recording will end: ' + REPAIR)
    if result.active and watching:
        for name, fired in result.seen.fired.items():
            if name not in result.armed and fired.resumes < time.time() and not result.seen.full:
                result.notes.append(f'the trigger {name} is not armed at this moment')
    if result.seen.full:
        result.notes.append(f'no room for a snapshot at {state.output}, triggers are held off '
                            'until there is')
    failed = sum(fired.failed for fired in result.seen.fired.values())
    failed += sum(trigger.failed for trigger in result.armed.values())
    if failed:
        result.notes.append(f'{failed} snapshots could not be taken')
    if result.seen.trouble and watching:
        result.notes.append(f'the watcher says: {result.seen.trouble}')
    return result


def existing() -> Optional[State]:
    """What is on, None if flight is off."""
    state = states.load()
    if state is not None:
        _adopt_home(state)
    return state


def _existing() -> State:
    state = existing()
    if state is None:
        raise HakError('flight is off', 'run `hak flight start`')
    return state


def _adopt_home(state: State) -> None:
    """The daemon is where start found it, whatever LTTNG_HOME says now."""
    os.environ['LTTNG_HOME'] = state.home


def _refuse_changes(state: State, chosen: dict) -> None:
    now = asdict(state.settings)
    changed = [f'{key.replace("_", " ")} {now[key]}' for key, value in chosen.items()
               if now[key] != value]
    if changed:
        raise HakError(f'flight is on with {", ".join(changed)}',
                       'to change that, run `hak flight stop` first', USAGE)


def _set_up(settings: Settings, before: Optional[State]) -> State:
    """Everything is noted before it is made, so that whenever we are killed, the next command
    knows of it."""
    output, place = Path(settings.output), Path(settings.shm)
    _make_output(output)
    chosen = _channels(settings, place)
    session = _session_name()
    state = State(settings, session, str(daemons.users_home()), time.time(),
                  str(place / f'{session}-{secrets.token_hex(8)}'),
                  made_place=not os.path.lexists(place),
                  buffers={name: size for name, (_, size) in chosen.items()})
    try:
        states.save(state)
        _make_shm(state)
        state.daemon = _daemon()
        _end_session(session)  # of one whose state was lost
        with daemons.visited() as client:
            if client is None:
                raise HakError('the session daemon has ended at once', 'see `hak doctor`')
            _create(client, state, chosen)
        seen = states.load_seen() if before is not None else states.Seen()
        seen.seen = [snapshot.name for snapshot in snapshots.listed(output)]
        states.save_seen(seen)
        flight_watch.start(lambda watcher: _note_watcher(state, watcher))
        state.stage = ON
        states.save(state)
    except BaseException:
        with contextlib.suppress(HakError):
            flight_watch.stop(state.watcher)
            _end_session(session)
            _end_daemon()
        _remove_shm(state)
        states.forget()
        raise
    return state


def _note_watcher(state: State, watcher: Process) -> None:
    state.watcher = watcher
    states.save(state)


def _daemon() -> Optional[Process]:
    """Sees to it that a daemon runs, and returns it if it is ours to end."""
    deadline = time.monotonic() + daemons.START_SECONDS
    while True:
        own = _own_daemon()
        with daemons.visited() as client:
            if client is not None:
                return own
        # One that is alive is on its way, started by a start that was killed.
        if own is None or time.monotonic() > deadline:
            _end_daemon()
            daemons.start_lasting(_daemon_folder())
        time.sleep(0.1)


def _daemon_folder() -> Path:
    return states.folder() / 'sessiond'


def _own_daemon() -> Optional[Process]:
    """That start has started, if it lives."""
    try:
        text = (_daemon_folder() / daemons.PID).read_text(encoding='ascii')
        process = Process(*map(int, text.split()))
    except (OSError, ValueError, TypeError):
        return None
    return process if process.alive() else None


def _channels(settings: Settings, shm: Path) -> dict[str, tuple[list[str], Buffers]]:
    """Channel -> its events and buffers."""
    events: dict[str, list[str]] = {}
    for event in catalogue.events():
        if event.tier not in catalogue.LEFT_OUT['lifecycle']:
            channel = 'repeating' if event.name in REPEATING else catalogue.channel_of(event)
            events.setdefault(channel, []).append(event.name)
    wanted = {name: Buffers(settings.buffer_size, SUBBUFS) for name in events}
    sizes = buffers.fitting(wanted, snapshots.room(shm) or 0)
    return {name: (events[name], sizes[name]) for name in events}


def _create(client: Client, state: State, channels: dict) -> None:
    client.run('create', state.session, '--snapshot', f'--output={state.settings.output}',
               f'--shm-path={state.live}')
    for channel, (events, size) in channels.items():
        client.run('enable-channel', '--userspace', '--session', state.session, '--buffers-uid',
                   '--overwrite', f'--subbuf-size={size.size}', f'--num-subbuf={size.count}',
                   channel)
        client.run('enable-event', '--userspace', '--session', state.session,
                   '--channel', channel, ','.join(f'hakmem:{event}' for event in events))
    contexts = [word for context in CONTEXTS for word in ('--type', context)]
    client.run('add-context', '--userspace', '--session', state.session, *contexts)
    client.run('start', state.session)


def _record(client: Client, state: State, name: str, output: Path) -> Path:
    before = {snapshot.path for snapshot in snapshots.listed(output)}
    with flight_crash.completing(state.kept, SUBBUFS) as taken:
        client.run('snapshot', 'record', f'--session={state.session}', f'--name={name}',
                   str(output), seconds=FLUSH_SECONDS)
        taken += [snapshot.path for snapshot in snapshots.listed(output)
                  if snapshot.path not in before and snapshot.cause == name]
    if not taken or not any(taken[-1].rglob('metadata')):
        for path in taken:
            shutil.rmtree(path, ignore_errors=True)
        raise HakError('the snapshot is empty', 'no program that runs on hakmem has made itself '
                       'known to the session daemon yet: see `hak flight status`')
    snapshots.note(taken[-1])
    return taken[-1]


def _clear(state: State) -> list[str]:
    """Takes down watcher, triggers and session, as far as they are there. What could not be
    had from shared memory any more becomes a snapshot."""
    done = []
    flight_watch.stop(state.watcher)
    with contextlib.suppress(HakError):  # no program was recorded
        if state.stage == ON and (salvaged := _salvage(state)) is not None:
            done.append(f'what was in shared memory is in {salvaged}')
    _end_session(state.session)
    return done


def _salvage(state: State) -> Optional[Path]:
    """Of a session daemon that has died, or of buffers with a hole."""
    with daemons.visited() as client:
        if client is not None and state.session in client.sessions():
            if not _holes(state):
                return None
            client.run('stop', state.session, seconds=FLUSH_SECONDS)
            return _record(client, state, 'salvaged', state.output)
    target = snapshots.new_path(state.output, 'salvaged')
    flight_crash.extract(state.kept, target)
    return target


def _holes(state: State) -> bool:
    seen = flight_crash.holes(state.kept, SUBBUFS)
    if seen:
        time.sleep(HOLE_SECONDS)
        seen &= flight_crash.holes(state.kept, SUBBUFS)
    return bool(seen)


def _end_session(session: str) -> None:
    with daemons.visited() as client:
        if client is None:
            return
        for name in triggers.armed(client, session):
            triggers.disarm(client, session, name)
        if session in client.sessions():
            client.run('destroy', session, seconds=FLUSH_SECONDS)


def _end_daemon() -> None:
    """Stops the daemon that start started, unless somebody else has a session in it."""
    if (own := _own_daemon()) is None:
        owned.remove_tree(_daemon_folder())
        return
    with daemons.visited() as client:
        if client is None or not client.sessions():
            daemons.stop_lasting(own.pid, _daemon_folder())


def _examined(client: Client, result: Status) -> bool:
    """False where there is no session; a repair may take it away between two questions."""
    session = result.state.session
    try:
        if session in client.sessions():
            _examine(client, result)
            return True
    except HakError:
        if session in client.sessions():
            raise
    return False


def _examine(client: Client, result: Status) -> None:
    session = result.state.session
    listing = client.run('--mi', 'xml', 'list', session)
    result.active = any(element.text == 'true'
                        for element in elements(listing, 'sessions/session/enabled'))
    if not result.active:
        result.problems.append(f'the session is stopped: run `lttng start {session}`')
    for channel in elements(listing, 'sessions/session/domains/domain/channels/channel'):
        result.losses[channel.findtext('{*}name')] = {
            what: int(channel.findtext(f'.//{{*}}{what}') or 0)
            for what in ('discarded_events', 'lost_packets')}
    result.armed = triggers.armed(client, session)
    for element in elements(client.run('--mi', 'xml', 'list', '--userspace'),
                            'domains/domain/pids/pid'):
        if any((name.text or '').startswith('hakmem:')
               for name in element.findall('.//{*}event/{*}name')):
            result.processes.append({'pid': int(element.findtext('{*}id')),
                                     'name': element.findtext('{*}name')})


def _session_name() -> str:
    """The same for the same state folder, of which a user can have several."""
    return f'hak-flight-{os.geteuid()}-{zlib.crc32(os.fsencode(states.folder())):08x}'


def _make_output(output: Path) -> None:
    """What the daemon writes there has names that can be guessed."""
    remedy = 'name another with --output'
    with owned.ours(output, remedy, make=True):
        if not os.access(output, os.W_OK | os.X_OK):
            raise HakError(f'{output} is not writable', remedy)


def _make_shm(state: State) -> None:
    """Its place can be one where everybody makes files: nobody can make this one before us."""
    remedy, path = 'name another with --shm', Path(state.shm)
    with owned.checked(Path(state.settings.shm), remedy, make=True) as place:
        try:
            place.make(path.name)
        except OSError as error:
            raise HakError(f'{path} cannot be made: {error.strerror}', remedy) from None
    with owned.ours(path, remedy) as folder:
        folder.make('live')
        folder.make('kept')


def _remove_shm(state: State) -> None:
    owned.remove_tree(Path(state.shm))
    if state.made_place:
        with contextlib.suppress(OSError):
            Path(state.settings.shm).rmdir()
