"""The system refused memory, or killed: which limit was it?

The dump that says how near the limits were is made within a tick of the refusal; what was mapped
at the refusal itself is known, so the address space then is too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from hak import ui
from hak.oom.facts import TICK_NS, Dump, Facts
from hak.oom.verdict import Evidence, Insufficient, Verdict

CAUSES = ('map_fail_rlimit_as', 'map_fail_cgroup', 'map_fail_max_map_count',
          'map_fail_overcommit', 'map_fail_injected', 'map_fail_unknown')
# Told by limits as they are in dumps.
BY_LIMITS = ('map_fail_rlimit_as', 'map_fail_max_map_count', 'map_fail_overcommit')
# A SuperSlab, aligned, or a region of a pool takes so much at once.
AT_ONCE = 4 << 20
# The count of mappings is not quite the kernel's.
MAPS_NEAR = 0.98
# The group's memory holds page cache too, which the kernel drops before it kills; and other
# processes.
GROUP_NEAR, GROUP_OURS = 0.9, 0.1
# Dumps that are looked at, from each end of what may be hours.
DUMPS_MOST = 16
# The tick looks for refusals; later the numbers may be others.
SOON_NS = 2_000_000_000
SURE, NEAR, GUESS = 0.95, 0.8, 0.5


@dataclass(frozen=True)
class Refused:
    """What the system refused. `whole`: bytes of the largest request, with what goes with it."""
    count: int
    first: int
    last: int
    smallest: int
    largest: int
    whole: int


def judge(facts: Facts) -> Iterator[Verdict | Insufficient]:
    yield from _group(facts)
    refused = _refused(facts) or _refused_before(facts)
    if refused is None:
        yield from (Insufficient(cause, facts.gap, facts.next_time)
                    for cause in (*BY_LIMITS, 'map_fail_injected') if facts.gap)
        return
    weight = _weight(facts, refused)
    found = [each for each in (_best(test, facts, refused) for test in TESTS) if each]
    for cause, evidence, change, sure in found:
        yield Verdict(cause, sure, refused.first, weight, [_told(refused), evidence], change)
    fault = facts.setting('HAKMEM_FAIL_MAP', '')
    if fault:
        yield Verdict('map_fail_injected', GUESS if found else SURE, refused.first, weight,
                      [_told(refused), Evidence(f'set: HAKMEM_FAIL_MAP={fault}', None,
                                                {'HAKMEM_FAIL_MAP': fault})],
                      'unset HAKMEM_FAIL_MAP')
    elif not found:
        yield from _unknown(facts, refused, weight)


def _refused(facts: Facts) -> Optional[Refused]:
    rows = [row for row in facts.ace_fails if row['reason'] == 'MAP_FAIL_OS']
    if not rows:
        return None
    own = [row for row in rows if not row['passed_on']] or rows
    return Refused(sum(row['count'] for row in own), min(row['first'] for row in rows),
                   max(row['last'] for row in rows), min(row['smallest'] for row in own),
                   max(row['largest'] for row in own),
                   max(AT_ONCE, *(row['largest'] for row in own)))


def _refused_before(facts: Facts) -> Optional[Refused]:
    """As a dump counts them that was made later."""
    dump = facts.last_dump
    if dump is None or not dump.row['map_fails']:
        return None
    return Refused(dump.row['map_fails'], facts.began, facts.began, 0, 0, AT_ONCE)


def _weight(facts: Facts, refused: Refused) -> float:
    """NULL for the caller is as bad as it gets."""
    dump = facts.last_dump
    failed = facts.failures('oom') or dump and dump.row['ooms']
    return 1.0 if failed else facts.share_of_refused(refused.count)


def _told(refused: Refused) -> Evidence:
    if not refused.largest:
        return Evidence(f'the system refused memory {ui.counted(refused.count, "time")} before the '
                        'recording began', refused.first, {'requests': refused.count})
    sizes = (f'{refused.smallest:,}' if refused.smallest == refused.largest else
             f'{refused.smallest:,} to {refused.largest:,}')
    return Evidence(f'the system refused memory for {ui.counted(refused.count, "request")} of '
                    f'{sizes} B', refused.first,
                    {'requests': refused.count, 'first': refused.first, 'last': refused.last,
                     'smallest': refused.smallest, 'largest': refused.largest})


# ---- the limits: each test says of one dump how near it was, None: not near ----

def _best(test, facts: Facts, refused: Refused) -> Optional[tuple]:
    found = [each for each in (test(dump, facts, refused) for dump in _near(facts, refused))
             if each]
    return max(found, key=lambda each: each[3], default=None)


def _near(facts: Facts, refused: Refused) -> list[Dump]:
    """Dumps that say how it was: before the refusals some things were different. Of many, the
    first and the last."""
    after = [dump for dump in facts.looks if dump.time >= refused.first - SOON_NS]
    if len(after) > 2 * DUMPS_MOST:
        after = after[:DUMPS_MOST] + after[-DUMPS_MOST:]
    return after or facts.looks[-1:]


def _rlimit_as(dump: Dump, facts: Facts, refused: Refused) -> Optional[tuple]:
    limit = dump.row['limit_as']
    if not limit:
        return None
    most = min(limit, max(_vm_at(time, dump, facts) for time in (refused.first, refused.last)))
    if most + refused.whole <= limit:
        return None
    soon = refused.largest and dump.time <= refused.last + SOON_NS
    return ('map_fail_rlimit_as', Evidence(
        f'the address space was {ui.size(most)} of {ui.size(limit)} (RLIMIT_AS), '
        f'{ui.size(dump.ours)} of it hakmem\'s, and up to {ui.size(refused.whole)} more were '
        'wanted at once', dump.time,
        {'vm': dump.row['vm'], 'vm_then': most, 'limit_as': limit, 'hakmem': dump.ours,
         'wanted': refused.whole}),
        f'ulimit -v {2 * max(limit, most + refused.whole) >> 10}', SURE if soon else NEAR)


def _vm_at(time: int, dump: Dump, facts: Facts) -> int:
    """The address space then, which differs from the dump's by what hakmem mapped meanwhile; what
    was lost of that cannot be counted."""
    if facts.lost or abs(time - dump.time) < 2 * TICK_NS:
        return dump.row['vm']
    if time < dump.time:
        return dump.row['vm'] - facts.mapped_between(time, dump.end)
    return dump.row['vm'] + facts.mapped_between(dump.end, time)


def _max_map_count(dump: Dump, facts: Facts, refused: Refused) -> Optional[tuple]:
    maps, most = dump.row['maps'], dump.row['max_maps']
    if not most or maps < MAPS_NEAR * most:
        return None
    return ('map_fail_max_map_count', Evidence(
        f'the process had {maps:,} mappings of at most {most:,} (vm.max_map_count)', dump.time,
        {'maps': maps, 'max_maps': most}), f'sysctl vm.max_map_count={2 * most}', SURE)


def _overcommit(dump: Dump, facts: Facts, refused: Refused) -> Optional[tuple]:
    """0: one request may not be more than there is memory. 2: all together may not."""
    mode, row = dump.row['overcommit'], dump.row
    numbers = {key: row[key] for key in ('overcommit', 'committed', 'commit_limit', 'memory')}
    if mode == 0 and row['memory'] and refused.largest > row['memory']:
        return ('map_fail_overcommit', Evidence(
            f'{ui.size(refused.largest)} at once are more than all RAM and swap, '
            f'{ui.size(row["memory"])} (vm.overcommit_memory 0)', dump.time, numbers),
            'sysctl vm.overcommit_memory=1', SURE)
    if mode == 2 and row['commit_limit'] and \
            row['committed'] + refused.whole > row['commit_limit']:
        return ('map_fail_overcommit', Evidence(
            f'{ui.size(row["committed"])} of {ui.size(row["commit_limit"])} were committed on the '
            f'machine (vm.overcommit_memory 2)', dump.time, numbers),
            'sysctl vm.overcommit_memory=0', SURE)
    return None


TESTS = (_max_map_count, _rlimit_as, _overcommit)   # in the order in which the kernel looks


def _unknown(facts: Facts, refused: Refused, weight: float) -> Iterator[Verdict | Insufficient]:
    """Neither can the limits explain it, or nobody knows what they were."""
    last = facts.last_dump
    evidence = [_told(refused)]
    if last is None:
        why = 'no state dump says how near the limits were'
        yield from (Insufficient(cause, why, facts.next_time) for cause in BY_LIMITS)
    else:
        row = last.row
        limits = {key: row[key] for key in ('vm', 'limit_as', 'maps', 'max_maps', 'overcommit')}
        evidence.append(Evidence(
            f'address space {ui.size(row["vm"])} of '
            f'{ui.size(row["limit_as"]) if row["limit_as"] else "no limit"}, {row["maps"]:,} '
            f'mappings of {row["max_maps"]:,}, overcommit {row["overcommit"]}', last.time, limits))
    yield Verdict('map_fail_unknown', GUESS if last is None else NEAR, refused.first, weight,
                  evidence, 'hak doctor; ulimit -d unlimited')


# ---- the cgroup's limit, at which nothing is refused but processes are killed ----

def _group(facts: Facts) -> Iterator[Verdict | Insufficient]:
    """The last that was seen: what had fallen again did not kill."""
    looks = sorted([*_pressures(facts), *_dumped(facts)])
    near = [look for look in looks if _is_near(*look)]
    if near and near[-1] == looks[-1]:
        time, used, limit, rss = near[-1]
        share = used / limit
        sure = (SURE if share >= 0.98 else NEAR) * (1 if rss >= limit / 2 else 0.7)
        yield Verdict('map_fail_cgroup', sure, near[0][0], min(1.0, share), [
            Evidence(f'the memory cgroup was at {ui.size(used)} of {ui.size(limit)}, '
                     f'{share:.0%}, {ui.size(rss)} of it this process', time,
                     {'cgroup_used': used, 'cgroup_limit': limit, 'rss': rss}),
            Evidence(f'what was recorded ends {ui.duration(facts.ended - time)} later: the kernel '
                     'kills without a word', facts.ended, {'ended': facts.ended})],
            f'systemctl set-property UNIT MemoryMax={2 * limit >> 20}M')
    elif not facts.looks and not facts.small:
        yield Insufficient('map_fail_cgroup', 'no state dump says how near the limits were',
                           facts.next_time)


def _is_near(_: int, used: int, limit: int, rss: int) -> bool:
    return used >= GROUP_NEAR * limit and rss >= GROUP_OURS * limit


def _dumped(facts: Facts) -> list[tuple[int, int, int, int]]:
    """Time, used, limit, and this process's part."""
    return [(dump.time, dump.row['cgroup_used'], dump.row['cgroup_limit'], dump.row['rss'])
            for dump in facts.looks if dump.row['cgroup_limit']]


def _pressures(facts: Facts) -> list[tuple[int, int, int, int]]:
    return [(row['time'], row['used'], row['used_limit'], row['rss'])
            for row in facts.pressures if row['what'] == 'PRESSURE_CGROUP']
