"""What the events of a running session add up to, process by process.

The tally knows events by name and payload, and nothing of Babeltrace: any mapping is a payload.
Enumerations come as their labels.
"""

import time as clock
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from hak import split
from hak.geometry import LAYER_CLASSES, NO_CLASS, STAGES, STRIDES
from hak.split import Split

# Failures that a snapshot tells of, latest first. The same again and again takes one place.
REMEMBERED = 12
# Processes that have ended are told of for so long, in nanoseconds.
MOURNED = 10_000_000_000
# What is also told per second; the sums over classes, stages and layers.
RATES = ('events', 'acquires', 'empties', 'superslab_maps', 'superslab_unmaps', 'purges',
         'shared_fail', 'legacy', 'ace_fail', 'blocks_refilled', 'blocks_drained')
MISUSE = ('hdr_reset', 'double_free', 'invalid_free')
DUMPED_CLASS = ('stride', 'active', 'peak', 'cap', 'frozen', 'listed', 'marked', 'unmarked',
                'ss_lg')
# Counted by the process since its beginning, whether somebody watches or not.
EVER_CLASS = ('shared_fail', 'legacy_blocks')
EVER_POOL = {'THRESHOLD': 'threshold', 'EXHAUSTION': 'exhaustion', 'MAP_FAIL_OS': 'map_fail'}
DUMPED_POOL = ('used', 'peak', 'limit', 'mapped', 'blocks')
DUMPED_PROCESS = ('rss', 'vm', 'limit_as', 'cgroup_used', 'cgroup_limit', 'maps', 'max_maps',
                  'threads', 'superslab_bytes', 'purged_bytes')
# What a split needs of a dump; of the process what nobody looked at is not known.
SPLIT_PROCESS = ('rss', 'anon', 'exact', 'empty_resident', 'unbound_resident', 'headers', 'tables')
SPLIT_CLASS = ('stride', 'slabs', 'used', 'carved', 'parked', 'remote', 'samples', 'sampled',
               'resident')
SPLIT_POOL = ('used', 'cached', 'idle', 'resident')
# What only a dump in detail looks at.
DETAILS = {'maps', 'max_maps', 'threads'}


@dataclass
class _Told:
    process: dict = field(default_factory=dict)
    classes: dict = field(default_factory=dict)
    pools: dict = field(default_factory=dict)


@dataclass
class Process:
    pid: int
    name: str
    os_pid: int = 0
    version: str = ''
    flavour: str = ''
    born: int = 0                                      # by its own clock
    detailed: bool = True                              # the dump that is being told
    last: int = 0                                      # trace time of its last event
    ended: Optional[int] = None
    memory: dict = field(default_factory=dict)         # of its last state dump, kept up to date
    classes: dict = field(default_factory=dict)        # class -> the same
    pools: dict = field(default_factory=dict)          # layer -> the same
    split: Optional[Split] = None                      # of the last state dump that tells it
    telling: Optional[_Told] = None                    # what a split needs of the one being told
    counts: Counter = field(default_factory=Counter)   # (what, label…) -> since we watch
    rates: dict = field(default_factory=dict)
    sums: Counter = field(default_factory=Counter)     # when the rates were computed


@dataclass
class Failure:
    time: int
    pid: int
    name: str
    event: str
    text: str
    count: int = 1


class Tally:
    def __init__(self) -> None:
        self.now = 0                                   # trace time that has been reached
        self.lost = Counter()
        self.processes: dict[int, Process] = {}
        self.failures: deque[Failure] = deque(maxlen=REMEMBERED)
        self._rated_at = 0

    def event(self, name: str, time: int, pid: int, comm: str, payload: Any) -> None:
        """comm: what the process is called, empty where the event does not say."""
        self.now = max(self.now, time)
        process = self.processes.get(pid)
        if process is None or _is_another(process, name, payload):
            process = self.processes[pid] = Process(pid, comm)
        process.name = comm or process.name
        process.last, process.ended = time, None
        process.counts['events',] += 1
        if handler := _HANDLERS.get(name):
            handler(self, process, payload)

    def reach(self, time: int) -> None:
        """Nothing more will come that is older."""
        self.now = max(self.now, time)

    def fail(self, process: Process, event: str, text: str, key: Optional[str] = None,
             times: int = 1) -> None:
        for known in self.failures:
            if (known.pid, known.event) == (process.pid, event) and \
                    known.text.startswith(text if key is None else key):
                self.failures.remove(known)
                self.failures.appendleft(Failure(self.now, process.pid, process.name, event, text,
                                                 known.count + times))
                return
        self.failures.appendleft(Failure(self.now, process.pid, process.name, event, text, times))

    def snapshot(self) -> dict:
        """Plain data, as `hak top --json` prints it."""
        self._forget()
        self._rate()
        return {
            'time': self.now,
            'lost': {'events': self.lost['events'], 'packets': self.lost['packets']},
            'processes': [_told(process) for process in self.processes.values()],
            'failures': [vars(failure) for failure in self.failures],
        }

    def _forget(self) -> None:
        self.processes = {pid: process for pid, process in self.processes.items()
                          if process.ended is None or self.now - process.ended < MOURNED}

    def _rate(self) -> None:
        """Over the trace's time, not ours: events arrive in bursts, the time they tell does not."""
        elapsed = (self.now - self._rated_at) / 1e9
        if elapsed <= 0:
            return
        for process in self.processes.values():
            sums = _sums(process)
            if self._rated_at:
                process.rates = {key: (sums[key] - process.sums[key]) / elapsed
                                 for key in sums.keys() | process.rates.keys()}
            process.sums = sums
        self._rated_at = self.now


def behind(snapshot: dict) -> Optional[float]:
    """Seconds from what a snapshot tells to now. They grow when nothing more is heard."""
    at = snapshot['time']
    return max(0.0, round(clock.time() - at / 1e9, 3)) if at else None


def _is_another(process: Process, event: str, payload: Any) -> bool:
    """Has the process executed another program, or the pid been given to another?"""
    return event == 'process_start' and process.born not in (0, payload['born'])


def _sums(process: Process) -> Counter:
    """Over all labels, and of what has a rate in each class, over the class too."""
    sums: Counter = Counter()
    for key, count in process.counts.items():
        sums[key[0]] += count
        if key[0] in ('acquires', 'legacy'):
            sums[key[:2]] += count
    return sums


def _told(process: Process) -> dict:
    counts = process.counts
    sums = _sums(process)
    classes = [_told_class(process, cls) for cls in
               sorted(process.classes.keys() | {key[1] for key in counts
                                                if key[0] in ('acquires', 'legacy', 'shared_fail')
                                                and key[1] < len(STRIDES)})]
    return {
        'pid': process.pid, 'os_pid': process.os_pid, 'name': process.name,
        'version': process.version, 'flavour': process.flavour,
        'last': process.last, 'ended': process.ended is not None,
        'memory': process.memory,
        'split': process.split and process.split.as_json(),
        'counts': {**{key: sums[key] for key in RATES},
                   **{key: sums[key] for key in (*MISUSE, 'oom', 'pressure')}},
        'ever': _ever(process, sums),
        'rates': {key: round(process.rates.get(key, 0.0), 1) for key in RATES},
        'stages': {stage: _count(counts, 'acquires', 2, stage) for stage in STAGES},
        'shared_fail': _by(counts, 'shared_fail', 2),
        'legacy': _by(counts, 'legacy', 2),
        'ace_fail': [{'layer': key[1], 'reason': key[2], 'count': count}
                     for key, count in sorted(counts.items()) if key[0] == 'ace_fail'],
        'classes': classes,
        'pools': [{'layer': layer, **pool} for layer, pool in sorted(process.pools.items())],
    }


def _ever(process: Process, sums: Counter) -> dict:
    """What we have counted, where no state dump knows more."""
    classes, pools = process.classes.values(), process.pools.values()
    return {
        'shared_fail': max(sums['shared_fail'], sum(each['shared_fail'] for each in classes)),
        'legacy': max(sums['legacy'], sum(each['legacy_blocks'] for each in classes)),
        'ace_fail': max(sums['ace_fail'], sum(pool.get(key, 0) for pool in pools
                                              for key in EVER_POOL.values())),
    }


def _told_class(process: Process, cls: int) -> dict:
    counts, dumped = process.counts, process.classes.get(cls, {})
    shared_fail = sum(count for key, count in counts.items() if key[:2] == ('shared_fail', cls))
    legacy = sum(count for key, count in counts.items() if key[:2] == ('legacy', cls))
    return {
        'cls': cls, 'stride': STRIDES[cls],
        **{key: dumped.get(key) for key in DUMPED_CLASS[1:]},
        'acquires': sum(counts['acquires', cls, stage] for stage in STAGES),
        'acquire_rate': round(process.rates.get(('acquires', cls), 0.0), 1),
        'legacy_rate': round(process.rates.get(('legacy', cls), 0.0), 1),
        'stages': {stage: counts['acquires', cls, stage] for stage in STAGES},
        'empties': counts['empties', cls],
        'shared_fail': shared_fail, 'legacy': legacy,
        'ever': {'shared_fail': max(shared_fail, dumped.get('shared_fail', 0)),
                 'legacy': max(legacy, dumped.get('legacy_blocks', 0))},
    }


def _count(counts: Counter, what: str, place: int, label: Any) -> int:
    return sum(count for key, count in counts.items() if key[0] == what and key[place] == label)


def _by(counts: Counter, what: str, place: int) -> dict:
    return {label: _count(counts, what, place, label)
            for label in sorted({key[place] for key in counts if key[0] == what})}


# ---- what an event changes ----

_HANDLERS: dict[str, Callable[[Tally, Process, Any], None]] = {}


def _on(*names: str):
    def register(handler):
        _HANDLERS.update(dict.fromkeys(names, handler))
        return handler
    return register


@_on('process_start')
def _process_start(_: Tally, p: Process, e: Any) -> None:
    p.os_pid, p.version, p.flavour = e['os_pid'], e['version'], e['flavour']
    p.name, p.born = e['name'] or p.name, e['born']


def _change(state: dict, key: str, by: int) -> None:
    """Of what a state dump has told; before the first there is nothing to keep up to date."""
    if key in state:
        state[key] = max(0, state[key] + by)


@_on('slab_active')
def _slab_active(_: Tally, p: Process, e: Any) -> None:
    p.counts['acquires', e['cls'], e['stage']] += 1
    _change(p.classes.get(e['cls'], {}), 'active', 1)


@_on('slab_adopt')
def _slab_adopt(_: Tally, p: Process, e: Any) -> None:
    p.counts['acquires', e['cls'], 'ADOPT'] += 1


@_on('slab_empty')
def _slab_empty(_: Tally, p: Process, e: Any) -> None:
    p.counts['empties', e['cls']] += 1
    _change(p.classes.get(e['cls'], {}), 'active', -1)


@_on('superslab_map')
def _superslab_map(_: Tally, p: Process, e: Any) -> None:
    p.counts['superslab_maps',] += 1
    _change(p.memory, 'superslab_bytes', 1 << e['lg'])


@_on('superslab_unmap')
def _superslab_unmap(_: Tally, p: Process, e: Any) -> None:
    p.counts['superslab_unmaps',] += 1
    _change(p.memory, 'superslab_bytes', -(1 << e['lg']))


@_on('superslab_purge')
def _superslab_purge(_: Tally, p: Process, __: Any) -> None:
    p.counts['purges',] += 1


@_on('ace_map', 'ace_purge', 'ace_unmap')
def _ace_memory(_: Tally, p: Process, e: Any) -> None:
    p.pools.setdefault(e['layer'], {})['mapped'] = e['mapped']


@_on('ace_remap')
def _ace_remap(_: Tally, p: Process, e: Any) -> None:
    p.pools.setdefault('HUGE', {})['mapped'] = e['mapped']


@_on('cap_change')
def _cap_change(_: Tally, p: Process, e: Any) -> None:
    if e['cls'] in p.classes:
        p.classes[e['cls']]['cap'] = e['to']


@_on('ss_size_change')
def _ss_size_change(_: Tally, p: Process, e: Any) -> None:
    if e['cls'] in p.classes:
        p.classes[e['cls']]['ss_lg'] = e['to']


@_on('sll_refill')
def _sll_refill(_: Tally, p: Process, e: Any) -> None:
    p.counts['blocks_refilled', e['cls']] += e['taken']


@_on('sll_drain')
def _sll_drain(_: Tally, p: Process, e: Any) -> None:
    p.counts['blocks_drained', e['cls']] += e['own'] + e['remote']


# ---- state dumps ----

@_on('statedump_begin')
def _dump_begin(_: Tally, p: Process, e: Any) -> None:
    p.os_pid, p.detailed = e['os_pid'], bool(e['details'])
    p.telling = _Told()


@_on('statedump_process')
def _dump_process(_: Tally, p: Process, e: Any) -> None:
    p.memory = {key: p.memory.get(key) if key in DETAILS and not p.detailed else e[key]
                for key in DUMPED_PROCESS}
    # Older versions of hakmem do not say it.
    if p.telling and 'looked' in e:
        p.telling.process = {key: e[key] if e['looked'] else None for key in SPLIT_PROCESS}


@_on('statedump_class')
def _dump_class(_: Tally, p: Process, e: Any) -> None:
    p.classes[e['cls']] = {**{key: e[key] for key in DUMPED_CLASS},
                           **_grown(p.classes.get(e['cls'], {}), e, EVER_CLASS)}
    if p.telling and p.telling.process:
        p.telling.classes[e['cls']] = {key: e[key] for key in SPLIT_CLASS}


@_on('statedump_pool')
def _dump_pool(_: Tally, p: Process, e: Any) -> None:
    p.pools[e['layer']] = {**{key: e[key] for key in DUMPED_POOL},
                           **_grown(p.pools.get(e['layer'], {}), e, EVER_POOL.values())}
    if p.telling and p.telling.process:
        p.telling.pools[e['layer']] = {key: e[key] for key in SPLIT_POOL}


@_on('statedump_end')
def _dump_end(t: Tally, p: Process, _: Any) -> None:
    told, p.telling = p.telling, None
    if told and told.process and len(told.classes) == len(STRIDES) \
            and len(told.pools) == len(split.LAYERS):
        p.split = split.of(t.now, told.process, told.classes, told.pools) or p.split


def _grown(before: dict, e: Any, keys: Iterable[str]) -> dict:
    """A dump may have read a count just before the event that we have counted already."""
    return {key: max(before.get(key, 0), e[key]) for key in keys}


# ---- failures ----
#
# Of storms come sums. What these tell is in the last dump already, or in the next.

@_on('shared_fail', 'shared_fail_sum')
def _shared_fail(t: Tally, p: Process, e: Any) -> None:
    p.counts['shared_fail', e['cls'], e['reason']] += _times(e)
    _change(p.classes.get(e['cls'], {}), 'shared_fail', _singly(e))
    key = f"C{e['cls']}: "
    t.fail(p, 'shared_fail', f"{key}{e['reason']}, {e['active']} ACTIVE of {e['cap']}; nothing "
           f"live in {e['listed']} listed, {e['marked']} marked, {e['unmarked']} unmarked", key,
           _times(e))


@_on('legacy_alloc', 'legacy_alloc_sum')
def _legacy_alloc(_: Tally, p: Process, e: Any) -> None:
    p.counts['legacy', e['cls'], e['why']] += _times(e)
    _change(p.classes.get(e['cls'], {}), 'legacy_blocks', _singly(e))


@_on('ace_fail', 'ace_fail_sum')
def _ace_fail(t: Tally, p: Process, e: Any) -> None:
    p.counts['ace_fail', e['layer'], e['reason']] += _times(e)
    _change(p.pools.get(e['layer'], {}), EVER_POOL.get(e['reason'], ''), _singly(e))
    key = f"{e['layer']}: {e['reason']}"
    errno = f", errno {e['err']}" if e['err'] else ''
    t.fail(p, 'ace_fail', f"{key}, {_size(e)} B, {e['used']} of {e['limit']} B used{errno}", key,
           _times(e))


def _times(e: Any) -> int:
    return e['count'] if 'count' in e else 1


def _singly(e: Any) -> int:
    return 0 if 'count' in e else 1


def _size(e: Any) -> int:
    return e['largest'] if 'count' in e else e['size']


@_on('hdr_reset')
def _hdr_reset(t: Tally, p: Process, e: Any) -> None:
    p.counts['hdr_reset', e['cls']] += 1
    t.fail(p, 'hdr_reset', f"C{e['cls']}: {e['base']:#x} got {e['got']:#x} "
           f"expect {e['expect']:#x} {e['where']}")


@_on('double_free')
def _double_free(t: Tally, p: Process, e: Any) -> None:
    p.counts['double_free', e['cls']] += 1
    t.fail(p, 'double_free', f"{_class(e['cls'])}: {e['base']:#x}")


@_on('invalid_free')
def _invalid_free(t: Tally, p: Process, e: Any) -> None:
    p.counts['invalid_free', e['why']] += 1
    t.fail(p, 'invalid_free', f"{e['ptr']:#x} {e['why']}")


@_on('oom', 'oom_sum')
def _oom(t: Tally, p: Process, e: Any) -> None:
    p.counts['oom',] += _times(e)
    t.fail(p, 'oom', f"malloc of {_size(e)} B returned NULL, errno {e['err']}", 'malloc of',
           _times(e))


@_on('pressure')
def _pressure(t: Tally, p: Process, e: Any) -> None:
    p.counts['pressure',] += 1
    p.memory['rss'] = e['rss']
    t.fail(p, 'pressure', f"{e['what']}: {e['used']} of {e['limit']} B, {e['percent']} %",
           e['what'])


def _class(cls: int) -> str:
    return LAYER_CLASSES.get(cls, 'none' if cls == NO_CLASS else f'C{cls}')
