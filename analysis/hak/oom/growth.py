"""Memory that only grows: live blocks of hakmem's, or somebody else's.

Growth alone is no leak: data that a program loads looks the same. What leaks grows on while other
memory comes and goes, or over many seconds. So the recorded activity (slabs acquired, memory of
ACE's mapped) is cut into windows of the same size, and what leaks must grow in most of them while
something was given back; or else in most of the intervals between state dumps. Where it grew until
memory ran short and nothing else explains it, it may be one: that is told as a guess.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Optional

from hak import ui
from hak.geometry import STRIDES, class_text
from hak.oom.facts import SLAB, Dump, Facts
from hak.oom.verdict import Evidence, Insufficient, Verdict

CAUSES = ('leak', 'not_us')
WINDOWS = 12
MIB = 1 << 20
LEAST, LEAST_EACH = 8 * MIB, MIB
# Of what is live at the end; of the windows, in which it grows by a fair part; of the growth.
SHARE_LEAST, GROWING_LEAST, FAIR, FALLS_MOST = 0.2, 0.7, 0.3, 0.1
# Of the recording: its last part.
LAST = 0.25
# In each, memory is as low as it gets at least once.
PERIODS, FALLS_LEAST = 3, 2
# In which a program ends.
ENDING_NS = 2_000_000_000
# Of the slabs that a class acquired, what must be live in them.
LIVE_LEAST = 0.5
# Of the activity in a window, given back again; so many windows must have that.
COME_AND_GO, BUSY_LEAST = 0.05, 0.5
DUMPS_LEAST, SPAN_LEAST, SPAN_FULL = 5, 5_000_000_000, 15_000_000_000
OUTSIDE_LEAST, OUTSIDE_SHARE, OUTSIDE_GROWTH, OUTSIDE_SURE = 32 * MIB, 0.5, 0.25, 0.85
# Of it, what is told.
SHARED = 0.1
# It has stopped to grow, and nothing failed.
STOPPED = 0.3
# Until then a program loads what it needs.
START = 1_000_000_000
# Of it, in the last third.
LATE = 0.1
# How sure: grown while other memory came and went, over many seconds, until memory ran short. An
# import that takes many seconds looks the same; one that takes as long as this does not.
BUSY, LASTING, GUESS = 0.75, 0.45, 0.4
LONG, LONG_LASTING = 300_000_000_000, 0.8
LAYERS = ('mid', 'large', 'huge')


def judge(facts: Facts) -> Iterator[Verdict | Insufficient]:
    yield from _leak(facts)
    yield from _not_us(facts)


# ---- leaks ----

@dataclass
class Windows:
    """`live`: key -> bytes at each window's edges; `given`: bytes given back in each window;
    `size`: bytes of activity that make one."""
    times: list[int]
    live: dict[object, list[int]]
    given: list[int]
    size: int


def _leak(facts: Facts) -> Iterator[Verdict | Insufficient]:
    windows = _windows(facts)
    by_activity = _live(growing(windows.live, [1] * WINDOWS), facts) if windows else {}
    busy = windows and _busy(windows)
    if by_activity and busy:
        yield _verdict(facts, by_activity, windows.times, BUSY,
                       f'other memory came and went meanwhile: {ui.size(sum(windows.given))} were '
                       'given back')
        return
    dumps = _spread(_until_idle(facts.states))
    span = dumps[-1].time - dumps[0].time if dumps else 0
    lasting = len(dumps) >= DUMPS_LEAST and span >= SPAN_LEAST
    passed = [after.time - before.time for before, after in zip(dumps, dumps[1:])]
    if by_time := growing(_dumped(dumps), passed) if lasting else {}:
        yield _verdict(facts, by_time, [dump.time for dump in dumps], _lasting(span),
                       f'{len(dumps)} state dumps in {ui.duration(span)} show it')
    elif by_activity and facts.tight:
        yield _verdict(facts, by_activity, windows.times, GUESS, 'little else happened meanwhile: '
                       'data being loaded looks the same')
    elif not lasting and (by_activity or _grew(windows)):
        yield Insufficient('leak', 'live memory grew, but little else happened: data being loaded '
                           'looks the same', 'hak flight start')
    elif facts.gap:
        yield Insufficient('leak', facts.gap, facts.next_time)


def _lasting(span: int) -> float:
    return LONG_LASTING if span >= LONG else LASTING * max(0.7, min(1.0, span / SPAN_FULL))


def _verdict(facts: Facts, grown: dict[object, list[int]], times: list[int], sure: float,
             meanwhile: str) -> Verdict:
    worst = sorted(grown, key=lambda key: grown[key][0] - grown[key][-1])
    total = sum(live[-1] - live[0] for live in grown.values())
    evidence = [_told(key, grown[key], times, facts) for key in worst[:3]]
    first = min(_begin(grown[key], times) for key in worst)
    blocks = _asked_for(facts)
    return Verdict('leak', sure, first, min(1.0, total / max(total, facts.most_rss)),
                   [*evidence[:2 if blocks else 3], *blocks, Evidence(meanwhile, times[-1])],
                   f'hak report {facts.trace}' if blocks else 'hak record --tier ops -- CMD')


def _asked_for(facts: Facts) -> list[Evidence]:
    """Who asked for what lives in the end, where every malloc and free was recorded."""
    rows = facts.rows('op_total')
    live = sum(row['live_bytes'] for row in rows)
    sizes = facts.rows('op_size', 'allocs DESC')
    if not live:
        return []
    of: dict[int, int] = {}
    for row in rows:
        of[row['tid']] = of.get(row['tid'], 0) + row['live_bytes']
    tid = max(of, key=lambda key: of[key])
    count, most = sum(row['live'] for row in rows), sizes[0]
    return [Evidence(f'{count:,} blocks of {ui.size(live)} that were asked for live in the end, '
                     f'{of[tid] / live:.0%} of it from thread {tid}; most requests were for '
                     f'{most["low"]:,} to {most["high"]:,} B', facts.ended,
                     {'blocks': count, 'bytes': live, 'tid': tid})]


def _told(key, live: list[int], times: list[int], facts: Facts) -> Evidence:
    name = f'the {key} layer' if key in LAYERS else f'class {class_text(key)}'
    steps = sum(after > before for before, after in zip(live, live[1:]))
    numbers = {'key': key, 'live': live, 'times': times}
    size = facts.mean_request(key) if key not in LAYERS else None
    asked = f', for requests of {size:.0f} B on average' if size else ''
    return Evidence(f'{name} grew from {ui.size(live[0])} to {ui.size(live[-1])}, in {steps} of '
                    f'{len(live) - 1} parts of the recording{asked}',
                    _begin(live, times), numbers)


def _begin(live: list[int], times: list[int]) -> int:
    """When it began to grow."""
    return next((time for time, after in zip(times, live[1:]) if after > live[0]), times[0])


def growing(live: dict[object, list[int]], parts: list[int]) -> dict[object, list[int]]:
    """`parts`: how much each is of the recording. What leaks may be of several sizes: all of them
    together must have grown by much."""
    total = sum(edges[-1] for edges in live.values())
    shares = [part / sum(parts) for part in parts]
    growth = {key: _steadily(edges, shares) for key, edges in live.items()}
    # Beside what grows steadily one fall is a collection.
    falls = 1 if sum(growth.values()) >= LEAST else FALLS_LEAST
    growth = {key: more or _between_collections(live[key], shares, falls)
              for key, more in growth.items()}
    enough = sum(growth.values()) >= max(LEAST, SHARE_LEAST * total)
    return {key: live[key] for key, more in growth.items() if more} if enough else {}


def _steadily(edges: list[int], shares: list[float]) -> int:
    """By how much; 0: not so."""
    growth = edges[-1] - edges[0]
    if growth < LEAST_EACH:
        return 0
    steps = [after - before for before, after in zip(edges, edges[1:])]
    fair = sum(share for step, share in zip(steps, shares) if step >= FAIR * growth * share)
    falls = max(max(edges[:at + 1]) - edge for at, edge in enumerate(edges))
    return growth if (fair >= GROWING_LEAST and falls <= FALLS_MOST * growth
                      and _late(steps, shares) >= FAIR * growth) else 0


def _between_collections(edges: list[int], shares: list[float], falls_least: int) -> int:
    """What collects its garbage now and then falls each time, but never as low as before."""
    steps = [after - before for before, after in zip(edges, edges[1:])]
    falls = sum(step < 0 <= before for before, step in zip([0, *steps], steps))
    floor = list(accumulate(reversed(edges), min))[::-1]
    rises = [after - before for before, after in zip(floor, floor[1:])]
    parts: list[list[int]] = [[] for _ in range(PERIODS)]
    for edge, at in zip(edges, accumulate(shares, initial=0.0)):
        parts[min(PERIODS - 1, int(at * PERIODS))].append(edge)
    if falls < falls_least or not all(parts):
        return 0
    low = [min(part) for part in parts]
    growth = low[-1] - low[0]
    steadily = all(after - before >= FAIR * growth / (PERIODS - 1)
                   for before, after in zip(low, low[1:]))
    return growth if (growth >= LEAST_EACH and steadily
                      and _late(rises, shares) >= FAIR * growth) else 0


def _late(steps: list[int], shares: list[float]) -> float:
    """What all would have grown by, had it grown as in its last part: what filled up and stopped
    grows no more at the end."""
    grown, part = 0, 0.0
    for step, share in zip(reversed(steps), reversed(shares)):
        grown, part = grown + step, part + share
        if part >= LAST:
            break
    return grown / part


def _grew(windows: Optional[Windows]) -> bool:
    return bool(windows) and any(
        live[-1] - live[0] >= LEAST and live[-1] >= 0.9 * max(live)
        for live in windows.live.values())


def _busy(windows: Windows) -> bool:
    """Did memory come and go in most of the windows?"""
    busy = sum(given >= COME_AND_GO * windows.size for given in windows.given)
    return busy >= BUSY_LEAST * len(windows.given)


def _windows(facts: Facts) -> Optional[Windows]:
    size = sum(more for _, _, _, more in _steps(facts)) / WINDOWS
    if size < SLAB:
        return None
    now = {cls: slabs * SLAB for cls, slabs in facts.db.carried(facts.process['proc']).items()}
    result = Windows([facts.began], {}, [0], int(size))
    done, edges = 0, [dict(now)]
    for time, key, live, more in _steps(facts):
        result.given[-1] += max(0, now.get(key, 0) + more - live)
        now[key] = live
        done += more
        while done >= size * len(edges) and len(edges) < WINDOWS:
            edges.append(dict(now))
            result.times.append(time)
            result.given.append(0)
    edges.append(dict(now))
    result.times.append(facts.ended)
    result.live = {key: [edge.get(key, 0) for edge in edges] for key in now}
    return result


def _steps(facts: Facts) -> Iterator[tuple[int, object, int, int]]:
    """What happened: when, to what, bytes of it then, bytes of it that were acquired."""
    # What a recording that began later first tells of the layers was there before.
    mapped = dict.fromkeys(LAYERS, 0 if facts.process['complete'] else None)
    slabs = facts.db.carried(facts.process['proc'])
    for row in facts.db.activity(facts.process['proc']):
        if row['step']:
            slabs[row['cls']] = slabs.get(row['cls'], 0) + row['step']
            yield row['time'], row['cls'], slabs[row['cls']] * SLAB, max(0, row['step']) * SLAB
            continue
        for layer in LAYERS:
            if mapped[layer] is None:
                mapped[layer] = row[layer]
            elif row[layer] != mapped[layer]:
                # A row stands for the 10 ms before its end.
                yield (max(facts.began, row['time']), layer, row[layer],
                       max(0, row[layer] - mapped[layer]))
                mapped[layer] = row[layer]


def _live(grown: dict[object, list[int]], facts: Facts) -> dict[object, list[int]]:
    """Without the classes of whose slabs a state says that most was free."""
    state = next((state for state in reversed(facts.states) if not state.parting), None)
    if state is None or facts.outgrown:
        return grown
    return {key: edges for key, edges in grown.items()
            if key not in state.classes or state.live(key) >= LIVE_LEAST * (edges[-1] - edges[0])}


def _until_idle(states: list[Dump]) -> list[Dump]:
    """What does nothing at all at the end has not stopped to grow. Nor has it by ending, before
    which some free what they have."""
    parting = [state.time for state in states if state.parting]
    states = [state for state in states if not state.parting]
    while len(states) > 1 and parting and parting[-1] - states[-1].time < ENDING_NS and \
            states[-1].all_live < states[-2].all_live / 2:
        states.pop()
    while len(states) > 1 and _blocks(states[-1]) == _blocks(states[-2]):
        states.pop()
    return states


def _blocks(state: Dump) -> dict[int, tuple[int, int]]:
    return {cls: (row['used'], row['parked']) for cls, row in state.classes.items()}


def _spread(states: list[Dump]) -> list[Dump]:
    """At most one more than there are windows, as evenly in time as can be."""
    if len(states) <= WINDOWS:
        return states
    first, last = states[0].time, states[-1].time
    times = [state.time for state in states]
    at = [bisect_right(times, first + (last - first) * part // WINDOWS) - 1
          for part in range(WINDOWS + 1)]
    return [states[place] for place in dict.fromkeys(at)]


def _dumped(dumps: list[Dump]) -> dict[object, list[int]]:
    """Live bytes by class and layer, as state dumps tell them."""
    live: dict[object, list[int]] = {}
    for cls in range(len(STRIDES)):
        live[cls] = [dump.live(cls) for dump in dumps]
    for layer in LAYERS:
        live[layer] = [dump.pools[layer.upper()]['used'] if layer.upper() in dump.pools else 0
                       for dump in dumps]
    return live


# ---- others' memory ----

def _settled(facts: Facts, dumps: list[Dump]) -> Dump:
    """The dump from which on memory that grows is not that of a program's start."""
    if facts.tight or not facts.process['complete']:
        return dumps[0]
    return next((dump for dump in dumps if dump.time >= facts.began + START), dumps[-1])


def _not_us(facts: Facts) -> Iterator[Verdict | Insufficient]:
    dumps = [state for state in facts.states if not state.parting]
    if not dumps:
        yield Insufficient('not_us', 'no state dump says how much memory the process had',
                           facts.next_time)
        return
    first = _settled(facts, dumps)
    last = max(dumps, key=lambda dump: dump.outside)
    # What hakmem passed on to the system's malloc is a matter of the legacy backend.
    passed_on = facts.system_malloc_bytes
    outside, rss = last.outside - passed_on, last.row['rss']
    if outside < max(OUTSIDE_LEAST, OUTSIDE_SHARE * rss):
        return
    grown = outside - first.outside
    grew = grown >= OUTSIDE_GROWTH * outside
    late = dumps[-max(1, len(dumps) // 3):][0]
    # A program that has what it needs is how it is, and nothing went wrong.
    if not facts.tight and not (grew and grown >= OUTSIDE_LEAST):
        return
    if facts.tight:
        sure = OUTSIDE_SURE if grew else GUESS
    elif outside - late.outside >= LATE * outside:
        sure = _lasting(dumps[-1].time - first.time)
    else:
        sure = STOPPED
    since = (f'{ui.size(grown)} of it in {ui.duration(last.time - first.time)}' if grew else
             'from the beginning of the recording on')
    evidence = [Evidence(f'of {ui.size(rss)} resident {ui.size(outside)} are not hakmem\'s, '
                         f'{since}', last.time,
                         {'rss': rss, 'outside': outside, 'grown': grown}),
                Evidence(f'hakmem had {ui.size(last.ours)}', last.time, {'hakmem': last.ours})]
    if last.shared >= SHARED * outside:
        evidence.append(Evidence(f'{ui.size(last.shared)} of it are shared memory of the program\'s',
                                 last.time, {'shared': last.shared}))
    if passed_on:
        evidence.append(Evidence(f'{ui.size(passed_on)} more went to the system\'s malloc through '
                                 'the legacy backend', None, {'legacy_bytes': passed_on}))
    whose, change = _past_malloc(facts.process['name'])
    if whose:
        evidence.append(Evidence(whose))
    yield Verdict('not_us', sure, first.time if grew else facts.began,
                  outside / rss, evidence, change)


# Programs with allocators of their own below which there is no malloc: how they begin, what is
# to be known of them, and what shows their blocks.
_PAST_MALLOC = (
    ('python', 'Python keeps objects of up to 512 B in arenas of its own',
     'PYTHONMALLOC=malloc hak record -- CMD'),
    ('php', 'PHP keeps its objects in chunks of its own', 'USE_ZEND_ALLOC=0 hak record -- CMD'),
    ('node', 'V8 maps the heap of its objects itself', 'node --heap-prof FILE'),
)


_WHO_MAPS = 'strace -f -k -e trace=mmap,mremap,brk CMD'


def _past_malloc(name: str) -> tuple[str, str]:
    """The fact, '' if the program is none of them, and a command line; its comment is for memory
    that is outside then, too."""
    for begin, whose, change in _PAST_MALLOC:
        if name.startswith(begin):
            return whose, f'{change}  # outside still: {_WHO_MAPS}'
    return '', _WHO_MAPS
