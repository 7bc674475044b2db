"""The kernel killed for want of memory, in a memory cgroup or in the machine.

Nothing is refused there: a process that would be too much is killed, and can say nothing. What is
known: how full the group was at the last look, and, where `hak record` ran the program, how that
ended and whom the kernel killed meanwhile.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from signal import SIGKILL
from typing import Optional

from hak import ui
from hak.fate import Fate
from hak.oom import demand
from hak.oom.facts import Dump, Facts
from hak.oom.verdict import Evidence, Insufficient, Verdict

CAUSES = ('map_fail_cgroup', 'machine_oom')
# Of the group's memory without page cache, at which the end is near; and of it this process's.
GROUP_NEAR, GROUP_OURS = 0.9, 0.1
# Of a group's limit, that was mapped by whom the kernel killed in it before anybody looked; and of
# the machine's memory.
UNSEEN, MACHINE_OURS = 0.25, 0.05
FULL = 0.98
CERTAIN, SURE, NEAR = 0.99, 0.95, 0.8
MIB = 1 << 20
MOUNTED = {1: '/sys/fs/cgroup/memory', 2: '/sys/fs/cgroup'}
LIMIT_FILE = {1: 'memory.limit_in_bytes', 2: 'memory.max'}
UNITS = ('.service', '.scope', '.slice')


@dataclass(frozen=True)
class Look:
    """Bytes without page cache in the group that is nearest to its limit; `anon`: this process's.
    dump: None where only pressure was told."""
    time: int
    used: int
    limit: int
    anon: int
    dump: Optional[Dump] = None

    @property
    def near(self) -> bool:
        return self.used >= GROUP_NEAR * self.limit and self.anon >= GROUP_OURS * self.limit


def judge(facts: Facts) -> Iterator[Verdict | Insufficient]:
    looks = sorted([*_pressures(facts), *_dumped(facts)], key=lambda look: look.time)
    if facts.killed is not None:
        yield _killed(facts, looks)
    elif facts.fate is not None:
        return
    elif looks and looks[-1].near:
        yield _near(facts, looks)
    elif not facts.states and not facts.small:
        yield Insufficient('map_fail_cgroup', 'no state dump says how near the limits were',
                           facts.next_time)


def _dumped(facts: Facts) -> list[Look]:
    return [Look(dump.time, dump.row['cgroup_used'], dump.row['cgroup_limit'], dump.row['anon'],
                 dump) for dump in facts.states if dump.row['cgroup_limit']]


def _pressures(facts: Facts) -> list[Look]:
    return [Look(row['time'], row['used'], row['used_limit'], row['anon'])
            for row in facts.pressures if row['what'] == 'PRESSURE_CGROUP']


# ---- verdicts ----

def _near(facts: Facts, looks: list[Look]) -> Verdict:
    """Nobody says how it ended. What had fallen again did not kill."""
    last = looks[-1]
    share = last.used / last.limit
    sure = (SURE if share >= FULL else NEAR) * (1 if last.anon >= last.limit / 2 else 0.7)
    first = next(look for look in looks if look.near)
    return Verdict('map_fail_cgroup', sure, first.time, min(1.0, share), [
        _told(last, facts), _growth(facts, last), Evidence(
            f'what was recorded ends {ui.duration(facts.ended - last.time)} later: the kernel '
            'kills without a word', facts.ended, {'ended': facts.ended})],
        _change(facts, last, _path(facts)))


def _killed(facts: Facts, looks: list[Look]) -> Verdict:
    path, fate = facts.killed, facts.fate
    last = looks[-1] if looks else None
    if path == '' and (last is None or last.used < GROUP_NEAR * last.limit):
        return _by_machine(facts)
    told = [_fate(facts, path or '')]
    if last:
        told += [_told(last, facts), _growth(facts, last)]
    told.append(Evidence(f'hakmem had {ui.size(facts.mapped)} mapped at the end of what was '
                         'recorded', facts.ended, {'hakmem': facts.mapped}))
    own = fate.pid == facts.process['pid'] and fate.code == -SIGKILL
    sure = CERTAIN if own and path else SURE if own or path else NEAR
    return Verdict('map_fail_cgroup', sure, last.time if last else facts.ended, 1.0, told,
                   _change(facts, last, path or _path(facts)))


def _by_machine(facts: Facts) -> Verdict:
    most = demand.memory(facts)
    last = facts.last_state
    told = [_fate(facts, '')]
    if last and most:
        told.append(Evidence(f'this process had {ui.size(last.row["anon"])} of the machine\'s '
                             f'{ui.size(most)}', last.time,
                             {'anon': last.row['anon'], 'memory': most}))
    return Verdict('machine_oom', NEAR, facts.ended, 1.0, told,
                   'journalctl -k --grep "Out of memory"')


def _fate(facts: Facts, path: str) -> Evidence:
    fate = facts.fate
    limit = fate.group_limits.get(path)
    where = (f'in the memory cgroup {path}' + (f' ({ui.size(limit)})' if limit else '') if path else
             'of the machine')
    count = fate.kills.get(path, 0) if path else fate.machine_kills or 0
    ended = ('it was killed by SIGKILL' if fate.signal == SIGKILL else
             f'{shlex.join(fate.argv[:1])} ended with {_ending(fate)}')
    return Evidence(f'{ended}, and the kernel\'s count of the processes {where} that it killed for '
                    f'want of memory (oom_kill) rose by {count}', fate.ended,
                    {'code': fate.code, 'oom_kill': count, 'cgroup': path, 'limit': limit})


def _ending(fate: Fate) -> str:
    return f'signal {-fate.code}' if fate.code < 0 else f'exit code {fate.code}'


def _told(look: Look, facts: Facts) -> Evidence:
    """Whose it was, of one moment. A process that was moved here has memory that counts
    elsewhere."""
    ours = min(look.anon, look.used)
    parts = [f'{ui.size(ours)} of it this process']
    if look.anon > look.used:
        parts = [f'all of it this process, of whose {ui.size(look.anon)} the rest counts elsewhere']
    if look.dump:
        parts.append(f'with {ui.size(look.dump.all_live)} in live blocks')
    return Evidence(f'the memory cgroup{_named(facts)} was at {ui.size(look.used)} of '
                    f'{ui.size(look.limit)} without page cache, {look.used / look.limit:.0%}: '
                    + ', '.join(parts), look.time,
                    {'cgroup_used': look.used, 'cgroup_limit': look.limit, 'anon': look.anon,
                     'others': look.used - ours})


def _named(facts: Facts) -> str:
    path = _path(facts)
    return f' {path}' if path else ''


def _growth(facts: Facts, last: Look) -> Evidence:
    return demand.told(demand.growth(facts, 'cgroup_used', last.time), 'its use', last.time)


# ---- what to change ----

def _path(facts: Facts) -> Optional[str]:
    """Of the group that is nearest to its limit, as the last dump in detail has it."""
    paths = [dump.limits['cgroup'] for dump in facts.looks or facts.elsewhere
             if dump.limits and dump.limits['cgroup_version']]
    return paths[-1] if paths else None


def _change(facts: Facts, last: Optional[Look], path: Optional[str]) -> str:
    """More than the machine has helps nobody."""
    most = demand.memory(facts)
    wanted = None
    if last:
        wanted = demand.enough(max(last.used, last.limit), 0,
                               demand.growth(facts, 'cgroup_used', last.time))
    known = [each for each in (wanted, most) if each]
    if path is None:
        return 'raise memory.max of the group that /proc/PID/cgroup names'
    number = f'{-(-min(known) // MIB)}M' if known else None
    version = _version(facts)
    if unit := _unit(path):
        user = '--user ' if '/user@' in path and not unit.startswith('user@') else ''
        return (f'systemctl {user}set-property {shlex.quote(unit)} '
                f'MemoryMax={number or "infinity"}')
    none = '-1' if version == 1 else 'max'
    file = shlex.quote(f'{MOUNTED[version]}{path.rstrip("/")}/{LIMIT_FILE[version]}')
    return f'echo {number or none} > {file}'


def _version(facts: Facts) -> int:
    versions = [dump.limits['cgroup_version'] for dump in facts.looks or facts.elsewhere
                if dump.limits and dump.limits['cgroup_version'] in MOUNTED]
    return versions[-1] if versions else facts.fate.cgroup_version if facts.fate else 2


def _unit(path: str) -> str:
    """The one of systemd's that the group belongs to; '': none."""
    last = path.rsplit('/', 1)[-1]
    return last if last.endswith(UNITS) else ''


# ---- who was it ----

def victims(processes: list[Facts], fate: Optional[Fate]) -> dict[int, str]:
    """Number of a process -> the path of the group in which the kernel killed it, '': not known."""
    if fate is None or not fate.kills and not fate.machine_kills:
        return {}
    own = [facts for facts in processes if facts.process['pid'] == fate.pid][-1:]
    if fate.code == -SIGKILL and own:
        left = own
    else:
        # A shell, or what else started it, has outlived it.
        left = [facts for facts in processes if facts.process['pid'] != fate.pid
                and not any(state.parting for state in facts.states)]
        left.sort(key=_size, reverse=True)
        left = left[:sum(fate.kills.values()) or (fate.machine_kills or 0)]
    found = {facts.process['proc']: _where(facts, fate) for facts in left}
    return {proc: path for proc, path in found.items() if path is not None}


def _where(facts: Facts, fate: Fate) -> Optional[str]:
    """Others may have been killed meanwhile, in other groups."""
    path, size = _path(facts), _size(facts)
    # Who is killed early has told nothing of groups yet.
    early = not any(dump.limits for dump in facts.looks)
    for group in fate.kills:
        limit = fate.group_limits.get(group)
        if _related(path, group) if path else early and (not limit or size >= UNSEEN * limit):
            return group
    if (fate.machine_kills or 0) <= sum(fate.kills.values()) or fate.signal != SIGKILL:
        return None
    looks = _dumped(facts)
    enough = fate.memory is None or size >= MACHINE_OURS * fate.memory
    return '' if enough or looks and looks[-1].near else None


def _related(path: str, group: str) -> bool:
    below, above = (each.rstrip('/') + '/' for each in (path, group))
    return below.startswith(above) or above.startswith(below)


def _size(facts: Facts) -> int:
    last = facts.last_state
    return max(facts.mapped, last.row['anon'] if last else 0)
