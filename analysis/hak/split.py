"""Where a process's memory went: what is resident, in parts that add up to what the kernel says.

Of hakmem's memory a state dump tells how much is in memory, asked of the kernel: by class, by layer
of ACE's, of EMPTY slabs, of its own tables. How much of that is whose is told by the blocks that the
dump counts. What is anonymous beyond that is not hakmem's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Optional

from hak import ui
from hak.db import Database, Scope
from hak.geometry import STRIDES

# What adds up to the anonymous memory, in the order in which it is told.
PARTS = {
    'live': 'what the program asked for and has not freed',
    'rounding': 'what its blocks are larger than that',
    'free': "free blocks in slabs that others' blocks keep",
    'remote': 'freed blocks that wait for their owner thread',
    'caches': "free blocks in threads' lists and caches",
    'empty': 'EMPTY slabs that have their memory still',
    'idle': 'free in the mid, large and huge layers, on its way back',
    'metadata': "hakmem's tables and headers",
    'not_ours': "not hakmem's: stacks, data segments, the program's own mappings",
}
# Beside it, in RSS.
FILE = 'mapped files and shared memory, among them the tracer\'s buffers'
HOW = ('hakmem\'s pages are counted by the kernel at the time of each dump; a class\'s are shared '
       'out by its blocks')
NAMES = {'not_ours': "not hakmem's", 'file': 'mapped files', 'free': 'free in slabs',
         'caches': "threads' caches", 'remote': 'remote queues', 'empty': 'EMPTY'}
# Of RSS: smaller parts are left out of a sentence.
MATTERS = 0.01
# Requests of a class that were looked at; fewer say nothing of the others.
SAMPLES_LEAST = 50
# A layer's block is at most a third larger than its request.
LAYER_LEAST = 0.75
LAYERS = ('MID', 'LARGE', 'HUGE')
# Of all splits of a process so many are told.
TOLD = 200
# The classes that there are with HAKMEM_TINY_CLASSES=8.
FEW = 8


@dataclass
class Split:
    """Bytes at one moment. errors: by how much a part may be off, those with any.

    live_blocks: of all live blocks, in memory or not; requested: what was asked of them, about
    (by samples of the classes' requests where there are enough, else all of a block), at least and
    at most. beyond: of what hakmem has in memory, what the kernel does not count, such as pages
    that were only read.
    """
    time: int
    rss: int
    anon: int
    parts: dict[str, int]
    errors: dict[str, int]
    live_blocks: int
    live_error: int
    requested: int
    requested_least: int
    requested_most: int
    beyond: int = 0
    parting: bool = False            # made when the process ended
    file: int = field(init=False)

    def __post_init__(self) -> None:
        self.file = max(0, self.rss - self.anon)

    @property
    def ours(self) -> int:
        return self.anon - self.parts['not_ours']

    def as_json(self) -> dict:
        return asdict(self)

    def sentence(self) -> str:
        """The parts that matter, the largest first."""
        sizes = {NAMES.get(name, name): value for name, value in
                 {**self.parts, 'file': self.file}.items() if value >= MATTERS * self.rss}
        parts = (f'{name} {ui.size(value)}'
                 for name, value in sorted(sizes.items(), key=lambda each: -each[1]))
        return f'{ui.size(self.rss)} resident: {", ".join(parts)}'


@dataclass
class _Sum:
    """What is added up."""
    parts: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    errors: dict[str, float] = field(default_factory=dict)
    live: int = 0
    live_error: int = 0
    least: float = 0
    most: float = 0
    about: float = 0

    def err(self, part: str, by: float) -> None:
        if by >= 1:
            self.errors[part] = self.errors.get(part, 0) + by


def of(time: int, process: Mapping[str, Any], classes: Mapping[int, Any],
       layers: Mapping[str, Any], means: Mapping[int, float] = {}) -> Optional[Split]:
    """Of one dump; None where it does not say what is in memory. means: bytes that requests of a
    class ask for, where all of them were recorded."""
    if process['tables'] is None or not process['anon']:
        return None
    total = _Sum()
    exact = bool(process['exact'])
    strides = STRIDES if any(classes[cls]['slabs'] for cls in classes if cls >= FEW) else STRIDES[:FEW]
    for cls, row in classes.items():
        below = max((stride for stride in strides if stride < row['stride']), default=0)
        _add_class(total, row, exact, means.get(cls) or sampled(row), below + 1)
    for row in layers.values():
        _add_layer(total, row)
    total.parts['empty'] += process['empty_resident']
    total.parts['free'] += process['unbound_resident']
    total.parts['metadata'] += process['headers'] + process['tables']
    return _whole(time, process, total)


def _whole(time: int, process: Mapping[str, Any], total: _Sum) -> Split:
    parts = {name: round(value) for name, value in total.parts.items()}
    anon, ours = process['anon'], sum(parts.values())
    beyond = max(0, ours - anon)
    if beyond:
        # Pages that were only read are in blocks that nobody has written to.
        _take(parts, beyond)
        total.err('live', beyond)
        total.err('not_ours', beyond)
    parts['not_ours'] = anon - sum(parts.values())
    return Split(time, process['rss'], anon, parts,
                 {name: round(by) for name, by in total.errors.items()}, total.live,
                 total.live_error, round(total.about), round(min(total.least, total.about)),
                 round(total.most), beyond)


def _take(parts: dict[str, int], bytes_: int) -> None:
    for name in ('live', *PARTS):
        less = min(parts[name], bytes_)
        parts[name] -= less
        bytes_ -= less


def _add_class(total: _Sum, row: Any, exact: bool, mean: Optional[float], least: int) -> None:
    """least: that a request of the class asks for."""
    stride, used = row['stride'], min(row['used'], row['carved'])
    parked = min(row['parked'], used)
    remote = min(row['remote'], used - parked)
    live = used - parked - remote
    # Whole pages; less than the blocks need where some are swapped out or shared no more.
    scale = min(1.0, row['resident'] / (row['carved'] * stride)) if row['carved'] else 0.0
    shares = {'remote': remote, 'caches': parked, 'free': row['carved'] - used}
    for name, blocks in shares.items():
        total.parts[name] += blocks * stride * scale
    # Pages in which no block has been handed out yet are free too.
    total.parts['free'] += row['resident'] - row['carved'] * stride * scale
    if not exact:
        total.err('remote', remote * stride * scale)
        total.err('live', remote * stride * scale)
        total.live_error += remote * stride
    if not live:
        return
    mean = mean or stride
    total.live += live * stride
    total.least += live * least
    total.most += live * stride
    total.about += live * mean
    total.parts['live'] += live * mean * scale
    total.parts['rounding'] += live * (stride - mean) * scale
    # The samples are of all requests so far, not of those whose blocks live.
    wide = live * max(mean - least, stride - mean)
    total.err('live', wide * scale)
    total.err('rounding', wide * scale)


def sampled(row: Any) -> Optional[float]:
    """What requests of a class ask for on average, by those that a dump says were looked at."""
    return row['sampled'] / row['samples'] if row['samples'] >= SAMPLES_LEAST else None


def _add_layer(total: _Sum, row: Any) -> None:
    """What was never written to is not in memory, of live blocks too; so how much of the free ones
    is, is known between bounds."""
    resident = row['resident']
    cached = min(row['cached'], resident)
    idle = min(row['idle'], resident - cached)
    live = max(0, row['used'] - row['cached'])
    wide = cached + idle - max(0, resident - live)
    total.parts['caches'] += cached
    total.parts['idle'] += idle
    total.parts['live'] += resident - cached - idle
    total.err('idle', min(idle, wide))
    total.err('live', max(0, wide))
    total.live += live
    total.least += live * LAYER_LEAST
    total.most += live
    total.about += live


# ---- of a recording ----

def over_time(db: Database, scope: Scope) -> dict[int, list[Split]]:
    """proc -> a split for each whole state dump that allows one, in the order of time."""
    classes, layers = _by_dump(db, 'dump_class', scope), _by_dump(db, 'dump_pool', scope)
    means: dict[int, dict] = {}
    found: dict[int, list[Split]] = {}
    for row in db.states(scope):
        proc, key = row['proc'], (row['proc'], row['seq'])
        if proc not in means:
            means[proc] = db.mean_requests(proc)
            found[proc] = []
        split = of(row['begin'], row, {each['cls']: each for each in classes.get(key, ())},
                   {each['layer']: each for each in layers.get(key, ())}, means[proc])
        if split:
            split.parting = db.label('dump_why', row['why']) == 'DUMP_EXIT'
            found[proc].append(split)
    return found


def told(db: Database, scope: Scope) -> list[dict]:
    """Per process: its state when it was largest, the last before it ended, and over time."""
    names = {row['proc']: row for row in db.processes(scope)}
    return [{'pid': names[proc]['pid'], 'name': names[proc]['name'], 'how': HOW, 'parts': PARTS,
             'file': FILE, 'largest': max(splits, key=lambda split: split.rss).as_json(),
             'last': _last(splits).as_json(),
             'over_time': [split.as_json() for split in spread(splits, TOLD)]}
            for proc, splits in over_time(db, scope).items() if splits]


def _last(splits: list[Split]) -> Split:
    """Not that of the end, when much has been freed."""
    return next((split for split in reversed(splits) if not split.parting), splits[-1])


def _by_dump(db: Database, table: str, scope: Scope) -> dict[tuple[int, int], list]:
    found: dict[tuple[int, int], list] = {}
    for row in db.dumped(table, scope):
        found.setdefault((row['proc'], row['seq']), []).append(row)
    return found


def spread(splits: list[Split], most: int) -> Iterator[Split]:
    """Of many, so many: in each part of the list the one with the largest RSS."""
    step = -(-len(splits) // most) or 1
    for at in range(0, len(splits), step):
        yield max(splits[at:at + step], key=lambda split: split.rss)
