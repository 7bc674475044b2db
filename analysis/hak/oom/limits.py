"""The system refused memory: which limit was it?

The dump that says how near the limits were is made within a tick of the refusal; what was mapped
at the refusal itself is known, so the address space then is too. A recording without such a dump
is judged by those that other recordings have of the same process, if they have any.
"""

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Optional

from hak import ui
from hak.oom import demand, unseen
from hak.oom.facts import TICK_NS, Dump, Facts
from hak.oom.verdict import Evidence, Insufficient, Verdict

CAUSES = ('map_fail_rlimit_as', 'map_fail_rlimit_data', 'map_fail_rlimit_memlock',
          'map_fail_max_map_count', 'map_fail_overcommit', 'map_fail_injected', 'map_fail_unknown')
# Told by limits as they are in dumps.
BY_LIMITS = CAUSES[:5]
# A SuperSlab, aligned, or a region of a pool takes so much at once; a part of it is asked for
# with the largest request too.
AT_ONCE = 4 << 20
# The count of mappings is not quite the kernel's.
MAPS_NEAR = 0.98
# A mapping has at least a page, and the kernel counts them in an int.
PAGE, MAPS_MOST = 4096, (1 << 31) - 1
# Of the address space, so that it is worth a word.
STACKS_SHARE = 0.25
# Dumps that are looked at, from each end of what may be hours.
DUMPS_MOST = 16
# The tick looks for refusals; later the numbers may be others.
SOON_NS = 2_000_000_000
SURE, NEAR, GUESS = 0.95, 0.8, 0.5


@dataclass(frozen=True)
class Refused:
    """What the system refused. `whole`: bytes of the largest request, with what goes with it.
    `overflow`: of the requests that nobody served. `errors`: errno."""
    count: int
    first: int
    last: int
    smallest: int
    largest: int
    whole: int
    overflow: int = 0
    errors: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Limit:
    """One of setrlimit(2)'s, as a dump tells it."""
    cause: str
    name: str
    what: str                        # it limits
    letter: str                      # of the shell's ulimit
    long: str                        # in names of columns
    used: Callable[[Dump], int]
    limit: Callable[[Dump], int]     # 0: none

    def raised(self, to: Optional[int], dump: Dump) -> str:
        """The command; None: as far as who is not root may."""
        hard = _told_limit(f'hard_{self.long}')(dump)
        if to is None and self.limit(dump) < hard:
            to = hard
        return f'ulimit -{self.letter} {"unlimited" if to is None else -(-to >> 10)}'


def _told_limit(column: str) -> Callable[[Dump], int]:
    return lambda dump: dump.limits[column] if dump.limits else 0


RLIMITS = (
    Limit('map_fail_rlimit_as', 'RLIMIT_AS', 'the address space', 'v', 'as',
          lambda dump: dump.row['vm'], lambda dump: dump.row['limit_as']),
    Limit('map_fail_rlimit_data', 'RLIMIT_DATA', 'private writable memory', 'd', 'data',
          _told_limit('data'), _told_limit('limit_data')),
    Limit('map_fail_rlimit_memlock', 'RLIMIT_MEMLOCK', 'locked memory (mlockall)', 'l', 'memlock',
          _told_limit('locked'), _told_limit('limit_memlock')),
)


def judge(facts: Facts) -> Iterator[Verdict | Insufficient]:
    refused = _refused(facts) or _refused_before(facts)
    if refused is None:
        found = unseen.verdict(facts)
        if found:
            yield found
        yield from (Insufficient(cause, facts.gap, facts.next_time)
                    for cause in (*BY_LIMITS, 'map_fail_injected')
                    if facts.gap and not (found and cause == found.cause))
        return
    weight = _weight(facts, refused)
    found = [each for each in (_best(test, facts, refused) for test in TESTS) if each]
    found = found or [*_only_one(facts, refused)]
    for cause, evidence, change, sure in found:
        yield Verdict(cause, sure, refused.first, weight, [_told(refused), *evidence], change)
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
    ooms = facts.failures('oom')
    # Of many that are told as one: at least.
    overflow = sum(row['size'] + row['smallest'] * (row['times'] - 1) for row in ooms)
    if not rows:
        # A process that began near a limit has the system's malloc, which was refused.
        largest = max((row['size'] for row in ooms), default=0)
        return Refused(sum(row['times'] for row in ooms), min(row['first'] for row in ooms),
                       max(row['time'] for row in ooms), min(row['smallest'] for row in ooms),
                       largest, AT_ONCE + largest, overflow,
                       frozenset(row['err'] for row in ooms)) if ooms else None
    own = [row for row in rows if not row['passed_on']] or rows
    return Refused(sum(row['count'] for row in own), min(row['first'] for row in rows),
                   max(row['last'] for row in rows), min(row['smallest'] for row in own),
                   max(row['largest'] for row in own),
                   AT_ONCE + max(max(row['largest'], row['class_size'] or 0) for row in rows),
                   overflow, frozenset(row['err'] for row in rows))


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
    errors = ', '.join(errno.errorcode.get(each, str(each)) for each in sorted(refused.errors)
                       if each)
    unserved = (f', {ui.size(refused.overflow)} of which nobody could serve' if refused.overflow
                else '')
    return Evidence(f'the system refused memory for {ui.counted(refused.count, "request")} of '
                    f'{sizes} B{unserved}' + (f' ({errors})' if errors else ''), refused.first,
                    {'requests': refused.count, 'first': refused.first, 'last': refused.last,
                     'smallest': refused.smallest, 'largest': refused.largest,
                     'overflow': refused.overflow, 'errors': sorted(refused.errors)})


# ---- the limits: each test says of one dump how near it was, None: not near ----

# Cause, evidence, what to change, how sure.
Found = tuple[str, list[Evidence], str, float]


def _best(test: Callable, facts: Facts, refused: Refused) -> Optional[Found]:
    found = [each for each in (test(dump, facts, refused) for dump in _near(facts, refused))
             if each]
    return max(found, key=lambda each: each[3], default=None)


def _near(facts: Facts, refused: Refused) -> list[Dump]:
    """Dumps that say how it was: before the refusals some things were different. Of many, the
    first and the last."""
    looks = facts.looks or sorted(facts.elsewhere, key=lambda dump: dump.time)
    after = [dump for dump in looks if dump.time >= refused.first - SOON_NS]
    if len(after) > 2 * DUMPS_MOST:
        after = after[:DUMPS_MOST] + after[-DUMPS_MOST:]
    return after or looks[-1:]


def _rlimit(which: Limit) -> Callable[[Dump, Facts, Refused], Optional[Found]]:
    def test(dump: Dump, facts: Facts, refused: Refused) -> Optional[Found]:
        limit = which.limit(dump)
        if not limit or which.cause == 'map_fail_rlimit_memlock' and \
                errno.EAGAIN not in refused.errors:
            return None
        time, mapped = _fullest(dump, facts, refused)
        used = min(limit, which.used(dump) + mapped)
        if used + refused.whole <= limit:
            return None
        soon = refused.largest and dump.time <= refused.last + SOON_NS
        return _reached(which, Evidence(
            f'{which.what} was {ui.size(used)} of {ui.size(limit)} ({which.name}), '
            f'{ui.size(dump.ours + mapped)} of it hakmem\'s, and up to {ui.size(refused.whole)} '
            'more were wanted at once', time,
            {'used': used, 'limit': limit, 'hakmem': dump.ours + mapped,
             'wanted': refused.whole}), dump, facts, refused, SURE if soon else NEAR)
    return test


def _fullest(dump: Dump, facts: Facts, refused: Refused) -> tuple[int, int]:
    """When most was used, as far as anybody knows: at the dump or a refusal; and how much more
    hakmem had mapped then than at the dump. What was lost of that cannot be counted."""
    times = [time for time in (refused.first, refused.last)
             if not facts.lost and facts.began <= dump.time <= facts.ended
             and abs(time - dump.time) >= 2 * TICK_NS]
    return max([(dump.time, 0), *((time, _mapped_since(dump, time, facts)) for time in times)],
               key=lambda each: each[1])


def _mapped_since(dump: Dump, time: int, facts: Facts) -> int:
    if time < dump.time:
        return -facts.mapped_between(time, dump.end)
    return facts.mapped_between(dump.end, time)


def _reached(which: Limit, seen: Evidence, dump: Dump, facts: Facts, refused: Refused,
             sure: float) -> Found:
    used, limit = which.used(dump), which.limit(dump)
    # A dump of sums tells of the address space, and nothing else grows without that.
    grown = demand.growth(facts, 'vm', refused.first)
    wanted = demand.enough(max(used, limit), refused.overflow + refused.whole, grown)
    most = demand.memory(facts)
    fits = wanted is not None and most is not None and wanted < most
    change = which.raised(wanted if fits else None, dump)
    evidence = [seen, demand.told(grown, 'the address space', dump.time), *_stacks(which, dump)]
    hard = _told_limit(f'hard_{which.long}')(dump)
    if hard and not fits:
        evidence.append(Evidence(f'its hard limit is {ui.size(hard)}: more is for root, or for a '
                                 'shell that was not limited so', dump.time, {'hard': hard}))
    return which.cause, evidence, change, sure


def _stacks(which: Limit, dump: Dump) -> Iterator[Evidence]:
    """Every thread takes as many addresses for its stack as RLIMIT_STACK allows."""
    stack, threads = _told_limit('limit_stack')(dump), dump.row['threads']
    if which.letter != 'v' or not stack or threads < 2:
        return
    size = (threads - 1) * stack
    if size >= STACKS_SHARE * which.limit(dump):
        yield Evidence(f'the stacks of {threads - 1:,} threads take up to {ui.size(size)} of it, '
                       f'{ui.size(stack)} each (RLIMIT_STACK, ulimit -s)', dump.time,
                       {'threads': threads, 'limit_stack': stack})


def _max_map_count(dump: Dump, facts: Facts, refused: Refused) -> Optional[Found]:
    maps, most = dump.row['maps'], dump.row['max_maps']
    if not most or maps < MAPS_NEAR * most:
        return None
    grown = demand.growth(facts, 'maps', dump.time)
    evidence = [Evidence(
        f'the process had {maps:,} mappings of at most {most:,} (vm.max_map_count)', dump.time,
        {'maps': maps, 'max_maps': most})]
    if grown:
        evidence.append(Evidence(
            f'they grew by {grown.rate:,.0f} a second in the {ui.duration(grown.span)} before',
            grown.time, {'rate': grown.rate, 'span': grown.span}))
    top = min(MAPS_MOST, max((demand.memory(facts) or MAPS_MOST * PAGE) // PAGE, most + 1))
    wanted = min(top, demand.enough(max(maps, most), refused.count, grown) or top)
    return 'map_fail_max_map_count', evidence, f'sysctl vm.max_map_count={wanted}', SURE


def _overcommit(dump: Dump, facts: Facts, refused: Refused) -> Optional[Found]:
    """0: one request may not be more than there is memory. 2: all together may not."""
    mode, row = dump.row['overcommit'], dump.row
    numbers = {key: row[key] for key in ('overcommit', 'committed', 'commit_limit', 'memory')}
    if mode == 0 and row['memory'] and refused.largest > row['memory']:
        return ('map_fail_overcommit', [Evidence(
            f'{ui.size(refused.largest)} at once are more than all RAM and swap, '
            f'{ui.size(row["memory"])} (vm.overcommit_memory 0)', dump.time, numbers)],
            'sysctl vm.overcommit_memory=1', SURE)
    if mode == 2 and row['commit_limit'] and \
            row['committed'] + refused.whole > row['commit_limit']:
        return ('map_fail_overcommit', [Evidence(
            f'{ui.size(row["committed"])} of {ui.size(row["commit_limit"])} were committed on the '
            f'machine (vm.overcommit_memory 2)', dump.time, numbers)],
            'sysctl vm.overcommit_memory=0', SURE)
    return None


TESTS = (_max_map_count, *map(_rlimit, RLIMITS), _overcommit)   # in the order of the kernel's looks


# ---- no dump of that time ----

def _only_one(facts: Facts, refused: Refused) -> Iterator[Found]:
    """Where nobody looked when it was refused: the one limit that is set, as other dumps of the
    process tell, if there is no other."""
    looks = _near(facts, refused)
    if not looks:
        yield from _as_it_began(facts, refused)
    if not looks or any(abs(time - dump.time) <= SOON_NS for dump in looks
                        for time in (refused.first, refused.last)):
        return
    dump = min(looks, key=lambda dump: abs(dump.time - refused.last))
    locked = errno.EAGAIN in refused.errors
    set_ = [which for which in RLIMITS if which.limit(dump)
            and (which.cause == 'map_fail_rlimit_memlock') == locked]
    if len(set_) == 1 and dump.row['overcommit'] != 2:
        which = set_[0]
        used, limit = which.used(dump), which.limit(dump)
        yield _reached(which, Evidence(
            f'{which.what} was {ui.size(used)} of {ui.size(limit)} ({which.name}), and no other '
            'limit is set', dump.time, {'used': used, 'limit': limit}), dump, facts, refused, GUESS)


def _as_it_began(facts: Facts, refused: Refused) -> Iterator[Found]:
    """`hak record` knows with which limits it started the program, whose children have them too."""
    limits = facts.fate.limits if facts.fate else {}
    locked = errno.EAGAIN in refused.errors
    set_ = [which for which in RLIMITS if limits.get(which.long)
            and (which.cause == 'map_fail_rlimit_memlock') == locked]
    if len(set_) == 1:
        which, limit = set_[0], limits[set_[0].long]
        yield (which.cause, [Evidence(
            f'{which.what} is limited to {ui.size(limit)} ({which.name}), and no other limit was '
            'set', facts.fate.began, {'limit': limit})], f'ulimit -{which.letter} unlimited', NEAR)


def _unknown(facts: Facts, refused: Refused, weight: float) -> Iterator[Verdict | Insufficient]:
    """Neither can the limits explain it, or nobody knows what they were."""
    last = facts.last_dump
    evidence = [_told(refused)]
    if last is None:
        why = 'no state dump says how near the limits were'
        yield from (Insufficient(cause, why, facts.next_time) for cause in BY_LIMITS)
    else:
        evidence.append(_as_they_were(last))
    yield Verdict('map_fail_unknown', GUESS if last is None else NEAR, refused.first, weight,
                  evidence, 'hak doctor')


def _as_they_were(dump: Dump) -> Evidence:
    row = dump.row
    limits: dict[str, Any] = {key: row[key] for key in
                              ('vm', 'limit_as', 'maps', 'max_maps', 'overcommit')}
    told = []
    for which in RLIMITS:
        limit = which.limit(dump)
        told.append(f'{which.what} {ui.size(which.used(dump))} of '
                    f'{ui.size(limit) if limit else "no limit"}')
        limits[which.name] = limit
    return Evidence(f'{", ".join(told)}, {row["maps"]:,} mappings of {row["max_maps"]:,}, '
                    f'overcommit {row["overcommit"]}', dump.time, limits)
