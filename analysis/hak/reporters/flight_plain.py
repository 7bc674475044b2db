"""`hak flight status`: what people read, and the same for programs."""

import sys
import time
from dataclasses import asdict
from typing import Any, Optional

from hak import flight_snapshots as snapshots
from hak import flight_triggers as triggers
from hak import ui
from hak.flight import Status
from hak.flight_state import Fired

SHOWN = 10


def show(status: Optional[Status]) -> None:
    if status is None:
        print('flight is off: run `hak flight start`')
        return
    facts = as_json(status)
    out = sys.stdout.write
    out(f'flight is {facts["state"]} since {_when(facts["since"])}\n')
    for problem in facts['problems']:
        out(f'problem    {ui.clean(problem)}\n')
    for note in facts['notes']:
        out(f'note       {ui.clean(note)}\n')
    own = 'started by flight' if facts['session']['own_daemon'] else 'not started by flight'
    out(f'session    {facts["session"]["name"]}, its daemon {own}\n')
    sizes = ', '.join(f'{channel["name"]} {channel["subbufs"]} × '
                      f'{ui.size(channel["subbuf_size"])}' for channel in facts['channels'])
    out(f'buffers    a CPU and user: {sizes}\n')
    lost = [f'{channel["name"]} {channel["discarded_events"]:,} events, '
            f'{channel["lost_packets"]:,} packets' for channel in facts['channels']
            if channel['discarded_events'] or channel['lost_packets']]
    out(f'lost       {"; ".join(lost) or "nothing but what was overwritten in its turn"}\n')
    out(f'memory     {facts["shm"]["path"]}: {ui.size(facts["shm"]["bytes"])}\n')
    _show_processes(facts['processes'])
    for trigger in facts['triggers']:
        out(f'trigger    {trigger["name"]:<14} {_fate(trigger)}\n')
    _show_snapshots(facts)


def as_json(status: Optional[Status]) -> dict[str, Any]:
    if status is None:
        return {'state': 'off'}
    state, settings = status.state, status.state.settings
    return {
        'state': 'broken' if status.problems else 'on',
        'since': state.began,
        'problems': status.problems,
        'notes': status.notes,
        'session': {'name': state.session, 'active': status.active,
                    'own_daemon': state.daemon is not None},
        'watcher': {'pid': state.watcher.pid if state.watcher else None,
                    'alive': state.watcher is not None and state.watcher.alive()},
        'channels': [{'name': name, 'subbuf_size': size.size, 'subbufs': size.count,
                      **status.losses.get(name, {'discarded_events': 0, 'lost_packets': 0})}
                     for name, size in state.buffers.items()],
        'shm': {'path': state.shm, 'bytes': snapshots.tree_bytes(state.kept)},
        'processes': status.processes,
        'triggers': [_trigger(status, condition) for condition in triggers.known()],
        'snapshots': [{'name': snapshot.name, 'path': str(snapshot.path),
                       'cause': snapshot.cause, 'time': snapshot.taken, 'bytes': snapshot.size}
                      for snapshot in status.snapshots],
        'output': settings.output,
        'rotated_out': status.seen.removed,
        'limits': {'keep': settings.keep, 'max_bytes': settings.max_bytes,
                   'every': settings.every},
    }


def _trigger(status: Status, condition: triggers.Condition) -> dict[str, Any]:
    fired = asdict(status.seen.fired.get(condition.name, Fired()))
    there = status.armed.get(condition.name)
    held_off = status.active and fired['resumes'] > time.time()
    return {
        'name': condition.name, 'event': condition.event, 'filter': condition.filter,
        'armed': there is not None and not held_off,
        'held_off': held_off,
        'fired': fired['count'], 'last': fired['last'] or None,
        'resumes': fired['resumes'] if held_off else None,
        'failed': fired['failed'] + (there.failed if there else 0),
        'discarded': fired['discarded'] + (there.discarded if there else 0),
    }


def _fate(trigger: dict[str, Any]) -> str:
    parts = ['armed' if trigger['armed'] else
             f'held off until {_when(trigger["resumes"])}' if trigger['held_off'] else 'off']
    if trigger['fired']:
        parts.append(f'fired {ui.counted(trigger["fired"], "time")}, '
                     f'last {_when(trigger["last"])}')
    if trigger['failed']:
        parts.append(f'{ui.counted(trigger["failed"], "snapshot")} failed')
    if trigger['discarded']:
        parts.append(f'{ui.counted(trigger["discarded"], "message")} discarded')
    return ', '.join(parts)


def _show_processes(processes: list[dict]) -> None:
    words = [f'{ui.clean(process["name"].rpartition("/")[2])} ({process["pid"]})'
             for process in processes[:SHOWN]]
    if len(processes) > SHOWN:
        words.append(f'and {len(processes) - SHOWN} more')
    sys.stdout.write(f'processes  {", ".join(words) or "none runs on hakmem now"}\n')


def _show_snapshots(facts: dict[str, Any]) -> None:
    there, limits, out = facts['snapshots'], facts['limits'], sys.stdout.write
    total = ui.size(sum(each['bytes'] for each in there))
    gone = f', {facts["rotated_out"]:,} rotated out' if facts['rotated_out'] else ''
    out(f'snapshots  {len(there)} of at most {limits["keep"]}, {total} of at most '
        f'{ui.size(limits["max_bytes"])}{gone}, in {facts["output"]}\n')
    if len(there) > SHOWN:
        out(f'           the last {SHOWN}:\n')
    for each in there[-SHOWN:]:
        out(f'           {each["name"]}, {ui.size(each["bytes"])}, {each["cause"]}\n')


def _when(seconds: float) -> str:
    return time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(seconds))
