"""Memory that hakmem holds and nobody uses: which of the known reasons keeps it.

The state that counts is that of the dump in which the process was largest. What is free but on
its way back (EMPTY, purged, a pool's idle) is no waste.
"""

from collections.abc import Iterator
from typing import Optional

from hak import ui
from hak.geometry import STRIDES, class_text
from hak.oom.facts import SLAB, Dump, Facts
from hak.oom.verdict import Evidence, Insufficient, Verdict

CAUSES = ('fragmentation', 'remote_backlog', 'thread_cache_bloat', 'class_waste')
MIB = 1 << 20
# What is less than this, or than this share of what hakmem holds, explains nothing.
LEAST, SHARE_LEAST = 4 * MIB, 0.15
# Of a slab's blocks, at most so many live.
SPARSE = 0.25
# Of a class's memory; no class table wastes as much of all.
WASTE_LEAST = 0.4
# CPU time below this share of the time that passed: the thread sleeps.
ASLEEP = 0.01


def judge(facts: Facts) -> Iterator[Verdict | Insufficient]:
    dump = facts.largest_dump
    if dump is None and not facts.small:
        why = 'no state dump says what slabs and threads held'
        yield from (Insufficient(cause, why, facts.next_time) for cause in CAUSES[:3])
    elif dump and facts.outgrown:
        why = 'memory grew far beyond what the last state dump tells of'
        yield from (Insufficient(cause, why, 'hak flight start') for cause in CAUSES[:3])
    elif dump:
        yield from (each for each in (_fragmentation(dump, facts), _backlog(dump, facts),
                                      _caches(dump, facts)) if each)
    yield from _class_waste(facts)


def _enough(wasted: int, dump: Dump) -> bool:
    return wasted >= max(LEAST, SHARE_LEAST * dump.ours)


def _weight(wasted: int, dump: Dump) -> float:
    return min(1.0, wasted / max(dump.row['rss'], wasted))


# ---- few blocks, many slabs ----

def _fragmentation(dump: Dump, facts: Facts) -> Optional[Verdict]:
    sparse = [slab for slab in facts.slabs(dump)
              if 0 < slab['used'] - slab['remote'] <= SPARSE * slab['carved']]
    wasted: dict[int, int] = {}
    for slab in sparse:
        free = (slab['carved'] - slab['used']) * STRIDES[slab['cls']]
        wasted[slab['cls']] = wasted.get(slab['cls'], 0) + free
    total = sum(wasted.values())
    if not _enough(total, dump):
        return None
    worst = sorted(wasted, key=lambda cls: -wasted[cls])
    evidence = [_sparse(cls, [slab for slab in sparse if slab['cls'] == cls], wasted[cls], dump)
                for cls in worst[:3]]
    return Verdict('fragmentation', 0.85, facts.since(dump), _weight(total, dump), evidence,
                   f'hak timeline {facts.trace} --pid {facts.process["pid"]} --class {worst[0]}')


def _sparse(cls: int, slabs: list, wasted: int, dump: Dump) -> Evidence:
    used, carved = (sum(slab[what] for slab in slabs) for what in ('used', 'carved'))
    pinned = max(slabs, key=lambda slab: slab['carved'] - slab['used'])
    where = f'0x{pinned["ss"]:x}:{pinned["slab"]}'
    return Evidence(f'class {class_text(cls)}: {used:,} blocks keep '
                    f'{ui.counted(len(slabs), "slab")} ({used / carved:.1%} of their blocks), '
                    f'{ui.size(wasted)} free between them; {pinned["used"]} in {where}', dump.time,
                    {'cls': cls, 'slabs': len(slabs), 'used': used, 'carved': carved,
                     'wasted': wasted, 'slab': where})


# ---- blocks on their way home ----

def _backlog(dump: Dump, facts: Facts) -> Optional[Verdict]:
    waiting: dict[int, int] = {}
    for slab in facts.slabs(dump):
        if slab['remote']:
            size = slab['remote'] * STRIDES[slab['cls']]
            waiting[slab['owner']] = waiting.get(slab['owner'], 0) + size
    total = sum(waiting.values())
    if not _enough(total, dump):
        return None
    worst = sorted(waiting, key=lambda owner: -waiting[owner])[:3]
    told = [_owner(owner, waiting[owner], dump, facts) for owner in worst]
    tid = told[0][0].numbers['tid']
    change = (f'gdb -p {facts.process["pid"]} -batch -ex "thread find {tid}" '
              '-ex "thread apply all bt"' if tid else 'hak record --tier flow -- CMD')
    return Verdict('remote_backlog', max(sure for _, sure in told), facts.since(dump),
                   _weight(total, dump), [evidence for evidence, _ in told], change)


def _owner(owner: int, size: int, dump: Dump, facts: Facts) -> tuple[Evidence, float]:
    thread = facts.thread(dump, owner)
    numbers = {'owner': owner, 'bytes': size, 'tid': thread['tid'] if thread else None}
    what = f'{ui.size(size)} of freed blocks wait for '
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

def _caches(dump: Dump, facts: Facts) -> Optional[Verdict]:
    threads = sorted(facts.threads(dump), key=lambda row: -row['parked_bytes'] - row['cached'])
    parked, cached = (sum(row[what] for row in threads) for what in ('parked_bytes', 'cached'))
    if not threads or not _enough(parked + cached, dump):
        return None
    most = threads[0]
    size = most['parked_bytes'] + most['cached']
    evidence = [
        Evidence(f'{ui.counted(len(threads), "thread")} keep {ui.size(parked)} of small and '
                 f'{ui.size(cached)} of larger free blocks to themselves, '
                 f'{ui.size((parked + cached) / len(threads))} each on average', dump.time,
                 {'threads': len(threads), 'parked': parked, 'cached': cached}),
        Evidence(f'thread {most["tid"]} keeps most: {ui.size(size)}', dump.time,
                 {'tid': most['tid'], 'bytes': size})]
    return Verdict('thread_cache_bloat', 0.85, facts.since(dump), _weight(parked + cached, dump),
                   evidence, 'hak_drain() in threads before they sleep (src/hakmem.h), or fewer '
                   'threads')


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
    elif held and len(means) < len(held) and not facts.small:
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
