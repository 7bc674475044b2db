"""Memory that hakmem holds and nobody uses: which of the known reasons keeps it.

Judged by the states in which the process was large. One state may have caught blocks on their way:
of several, the second worst says what there was for longer than a moment. What is free but on its
way back (EMPTY, purged, a pool's idle) is no waste.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Optional

from hak import ui
from hak.geometry import STRIDES, class_text
from hak.oom.facts import SLAB, Dump, Facts
from hak.oom.verdict import Evidence, Insufficient, Verdict

CAUSES = ('fragmentation', 'remote_backlog', 'thread_cache_bloat', 'class_waste')
MIB = 1 << 20
# What is less than this, or than this share of what hakmem holds, explains nothing.
LEAST, SHARE_LEAST = 4 * MIB, 0.15
# Where memory did not run short, what is less than this share of what was resident is how programs
# are: told, but below half sure.
MUCH, LITTLE_SURE = 0.25, 0.4
# Of the most that was resident: a state in which the process was large.
LARGE = 0.7
# Of a class's memory; no class table wastes as much of all.
WASTE_LEAST = 0.4
# A slab counts as sparse with at most one block in so many in use; the allocator's rule.
SPARSE = 4
# CPU time below this share of the time that passed: the thread sleeps.
ASLEEP = 0.01


def judge(facts: Facts) -> Iterator[Verdict | Insufficient]:
    for told in _wasted(facts):
        minor = isinstance(told, Verdict) and told.weight < MUCH and not facts.tight
        yield replace(told, confidence=min(told.confidence, LITTLE_SURE)) if minor else told


def _wasted(facts: Facts) -> Iterator[Verdict | Insufficient]:
    states = [state for state in facts.states if not state.parting]
    if not states and not facts.small:
        why = 'no state dump says what slabs and threads held'
        yield from (Insufficient(cause, why, facts.next_time) for cause in CAUSES[:3])
    elif states and facts.outgrown:
        why = 'memory grew far beyond what the last state dump tells of'
        yield from (Insufficient(cause, why, 'hak flight start') for cause in CAUSES[:3])
    elif states:
        for wasted, verdict in ((_between, _fragmentation), (_waiting, _backlog),
                                (_cached, _caches)):
            state = _worst(states, wasted)
            if wasted(state) >= max(LEAST, SHARE_LEAST * state.ours):
                yield verdict(state, wasted(state), facts)
    yield from _class_waste(facts)


def _worst(states: list[Dump], wasted: Callable[[Dump], int]) -> Dump:
    most = max(state.row['rss'] for state in states)
    large = [state for state in states if state.row['rss'] >= LARGE * most]
    ranked = sorted(large, key=wasted, reverse=True)
    return ranked[1] if len(ranked) > 2 else ranked[0]


def _sum(state: Dump, blocks: str) -> int:
    return sum(row[blocks] * STRIDES[cls] for cls, row in state.classes.items())


def _weight(wasted: int, state: Dump) -> float:
    return min(1.0, wasted / max(state.row['rss'], wasted))


def _by_class(state: Dump, blocks: str) -> list[int]:
    """The classes with most bytes in such blocks first."""
    return sorted((cls for cls, row in state.classes.items() if row[blocks]),
                  key=lambda cls: -state.classes[cls][blocks] * STRIDES[cls])


# ---- few blocks, many slabs ----

def _between(state: Dump) -> int:
    """Bytes free between the few blocks of slabs that these keep."""
    return _sum(state, 'sparse_free')


def _fragmentation(state: Dump, wasted: int, facts: Facts) -> Verdict:
    worst = _by_class(state, 'sparse_free')
    evidence = [_sparse(cls, state.classes[cls], state) for cls in worst[:3]]
    if pinned := _pinned(worst[0], state, facts):
        evidence.append(pinned)
    return Verdict('fragmentation', 0.85, facts.since(state), _weight(wasted, state), evidence,
                   f'hak timeline {facts.trace} --pid {facts.process["pid"]} --class {worst[0]}')


def _sparse(cls: int, row, state: Dump) -> Evidence:
    wasted = row['sparse_free'] * STRIDES[cls]
    return Evidence(f'class {class_text(cls)}: {ui.counted(row["sparse"], "slab")} of '
                    f'{row["slabs"]:,} have at most a quarter of their blocks in use, '
                    f'{ui.size(wasted)} are free between those', state.time,
                    {'cls': cls, 'slabs': row['sparse'], 'of': row['slabs'], 'wasted': wasted})


def _pinned(cls: int, state: Dump, facts: Facts) -> Optional[Evidence]:
    """The slab of the class that the fewest blocks keep. A dump from before they were few has none."""
    found = ((detail, slabs) for detail in facts.details_near(state)
             if (slabs := [slab for slab in facts.slabs(detail) if slab['cls'] == cls
                           and 0 < slab['used'] * SPARSE <= slab['carved']]))
    detail, slabs = next(found, (None, []))
    if not detail:
        return None
    slab = max(slabs, key=lambda slab: slab['carved'] - slab['used'])
    where = f'0x{slab["ss"]:x}:{slab["slab"]}'
    return Evidence(f'{ui.counted(slab["used"], "block")} of {slab["carved"]:,} keep slab {where}',
                    detail.time, {'slab': where, 'used': slab['used'], 'carved': slab['carved']})


# ---- blocks on their way home ----

def _waiting(state: Dump) -> int:
    return _sum(state, 'remote')


def _backlog(state: Dump, wasted: int, facts: Facts) -> Verdict:
    about = '' if state.row['exact'] else 'about '
    told = [(Evidence(f'{about}{ui.size(wasted)} of freed blocks wait in remote queues, most of '
                      f'class {class_text(_by_class(state, "remote")[0])}', state.time,
                      {'bytes': wasted, 'exact': state.row['exact']}), 0.75)]
    detail = facts.nearest_detail(state)
    waiting: dict[int, int] = {}
    for slab in facts.slabs(detail) if detail else []:
        if slab['remote']:
            size = slab['remote'] * STRIDES[slab['cls']]
            waiting[slab['owner']] = waiting.get(slab['owner'], 0) + size
    owners = sorted(waiting, key=lambda owner: -waiting[owner])[:3]
    told += [_owner(owner, waiting[owner], detail, facts) for owner in owners]
    tid = told[1][0].numbers['tid'] if owners else None
    change = (f'gdb -p {facts.process["pid"]} -batch -ex "thread find {tid}" '
              '-ex "thread apply all bt"' if tid else 'hak record --tier flow -- CMD')
    return Verdict('remote_backlog', max(sure for _, sure in told), facts.since(state),
                   _weight(wasted, state), [evidence for evidence, _ in told], change)


def _owner(owner: int, size: int, dump: Dump, facts: Facts) -> tuple[Evidence, float]:
    thread = facts.thread(dump, owner)
    numbers = {'owner': owner, 'bytes': size, 'tid': thread['tid'] if thread else None}
    what = f'at least {ui.size(size)} of them for '
    if thread is None:
        return Evidence(f'{what}a thread that has ended', dump.time, numbers), 0.9
    used = facts.cpu_share(dump, owner)
    if used is None:
        return Evidence(f'{what}thread {thread["tid"]}', dump.time, numbers), 0.75
    numbers['cpu_share'] = used
    does = 'which sleeps' if used < ASLEEP else f'which runs ({used:.0%} of a CPU)'
    return (Evidence(f'{what}thread {thread["tid"]}, {does}', dump.time, numbers),
            0.9 if used < ASLEEP else 0.6)


# ---- caches ----

def _cached(state: Dump) -> int:
    return state.row['parked_bytes'] + state.row['cached']


def _caches(state: Dump, wasted: int, facts: Facts) -> Verdict:
    parked, cached = state.row['parked_bytes'], state.row['cached']
    evidence = [Evidence(f'threads keep {ui.size(parked)} of small and {ui.size(cached)} of larger '
                         'free blocks to themselves', state.time,
                         {'parked': parked, 'cached': cached})]
    detail = facts.nearest_detail(state)
    threads = facts.threads(detail) if detail else []
    if threads:
        most = max(threads, key=lambda row: row['parked_bytes'] + row['cached'])
        size = most['parked_bytes'] + most['cached']
        evidence.append(Evidence(
            f'{ui.counted(len(threads), "thread")} had some, thread {most["tid"]} most: '
            f'{ui.size(size)}', detail.time,
            {'threads': len(threads), 'tid': most['tid'], 'bytes': size}))
    return Verdict('thread_cache_bloat', 0.85, facts.since(state), _weight(wasted, state), evidence,
                   'hak_drain() in threads before they sleep (src/hakmem.h), or fewer threads')


# ---- strides ----

def _class_waste(facts: Facts) -> Iterator[Verdict | Insufficient]:
    """Of the memory that classes took at most."""
    held = {cls: peak * SLAB for cls, peak in facts.peaks.items()}
    held = {cls: size for cls, size in held.items() if size >= LEAST}
    means = {cls: mean for cls in held if (mean := facts.mean_request(cls)) is not None}
    wasted = {cls: int(held[cls] * (1 - mean / STRIDES[cls])) for cls, mean in means.items()}
    bad = sorted((cls for cls in wasted if wasted[cls] >= max(LEAST, WASTE_LEAST * held[cls])),
                 key=lambda cls: -wasted[cls])
    total = sum(wasted[cls] for cls in bad)
    if bad and total >= SHARE_LEAST * max(facts.most_rss, sum(held.values())):
        yield Verdict('class_waste', 0.85, facts.peak_time(bad[0]),
                      min(1.0, total / max(total, facts.most_rss)),
                      [_loose(cls, means[cls], wasted[cls], held[cls], facts) for cls in bad[:3]],
                      _fit(bad[0], means[bad[0]], facts))
    elif held and len(means) < len(held) and (facts.states or not facts.small):
        yield Insufficient('class_waste', 'what requests ask for was not recorded',
                           'hak record --tier ops -- CMD')


def _loose(cls: int, mean: float, wasted: int, held: int, facts: Facts) -> Evidence:
    return Evidence(f'class {class_text(cls)}: requests ask for {mean:.0f} B on average, '
                    f'{ui.size(wasted)} of {ui.size(held)} are not used', facts.peak_time(cls),
                    {'cls': cls, 'mean': mean, 'wasted': wasted, 'held': held})


def _fit(cls: int, mean: float, facts: Facts) -> str:
    if facts.setting('HAKMEM_TINY_CLASSES', '16') == '8':
        return 'export HAKMEM_TINY_CLASSES=16'
    return f'requests of {mean:.0f} B in arrays, or of {STRIDES[cls]} B'
