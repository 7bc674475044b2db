"""The lives of slabs for a page: a lane for each slab, packed."""

from dataclasses import dataclass, field

from hak.db import Database, LifeFilter, Scope
from hak.packing import NARROW, Column, pack

# More lives than this are merged where they are shorter than the page can show.
MOST = 1_000_000
PARTS = 4096      # of the time, at most
SPELLS_MOST = 50_000
NONE = 255
_COUNTS = ('owner', 'refills', 'refilled', 'pushes', 'pushed', 'drains', 'drained', 'used_max',
           'used_last', 'capacity')
_NARROW = ('how', 'stage', 'cls', 'from_cls', 'spells')
# How a life is known: bits of the column `how`, beside its end.
UNBEGUN, UNCERTAIN = 1, 2
ENDED_SHIFT = 2


@dataclass
class Lanes:
    """superslabs: in the order in which lanes name them. merged: lives that are part of others."""
    superslabs: list = field(default_factory=list)
    lives: int = 0
    merged: int = 0
    packed: dict = field(default_factory=dict)
    spells: list = field(default_factory=list)
    spells_left_out: int = 0

    def as_json(self) -> dict:
        return {'superslabs': self.superslabs, 'lives': self.lives, 'merged': self.merged,
                'spells': self.spells, 'spellsLeftOut': self.spells_left_out, **self.packed}


class _Writer:
    """Lanes in the order of the lives' key; times as distances from the one before."""

    def __init__(self, begin: int):
        self.begin = begin
        self.lane = {name: Column() for name in ('superslab', 'slab', 'count')}
        self.life = {name: Column() for name in
                     ('wait', 'length', 'gen', 'purged', 'unmapped', 'merged', 'active', *_COUNTS)}
        self.life.update({name: Column(NARROW) for name in _NARROW})
        self.count = 0

    def start(self, superslab: int, slab: int) -> None:
        self.end()
        self.lane['superslab'].put(superslab)
        self.lane['slab'].put(slab)
        self.at, self.gen, self.count = self.begin, 0, 0

    def end(self) -> None:
        if self.count:
            self.lane['count'].put(self.count)

    def put(self, row: dict, merged: int = 0, active: int = 0) -> None:
        """merged: how many lives row stands for besides one, of which they were ACTIVE for
        `active` ns."""
        put = self.life
        begin = max(row['begin'] or row['dumped'] or self.begin, self.at)
        end = max(row['end'] or begin, begin)
        put['wait'].put(begin - self.at)
        put['length'].put(end - begin)
        put['gen'].put((row['gen'] or 0) - self.gen & 0x7fffffff)
        put['merged'].put(merged)
        put['active'].put(active)
        # 0: it did not happen.
        for name in ('purged', 'unmapped'):
            put[name].put(max(1, row[name] - end) if row[name] else 0)
        for name in _COUNTS:
            put[name].put(max(0, row[name] or 0))
        put['how'].put((UNBEGUN if row['begin'] is None else 0) |
                       (0 if row['certain'] else UNCERTAIN) | row['ended'] << ENDED_SHIFT)
        for name in ('stage', 'cls', 'from_cls'):
            put[name].put(NONE if row[name] is None else min(row[name], NONE))
        put['spells'].put(min(row['spells'] or 0, NONE))
        self.at, self.gen = end, row['gen'] or 0
        self.count += 1

    def packed(self) -> dict:
        self.end()
        return {'lanes': pack(self.lane), 'life': pack(self.life)}


class _Merger:
    """Lives that begin and end within the same part of the time become one."""

    def __init__(self, writer: _Writer, begin: int, part_ns: int):
        self.writer, self.begin, self.part_ns = writer, begin, part_ns
        self.row, self.more, self.active, self.merged = None, 0, 0, 0

    def put(self, row: dict) -> None:
        begin, end = row['begin'], row['end']
        part = (begin - self.begin) // self.part_ns if begin and end else None
        if part is None or (end - self.begin) // self.part_ns != part:
            self.flush()
            self.writer.put(row)
            return
        if self.row is not None and self.part == part:
            # The last says how it went on; the stage that found the first means nothing for all.
            self.row = {**row, 'begin': self.row['begin'], 'stage': None, 'from_cls': None}
            self.more += 1
            self.merged += 1
        else:
            self.flush()
            self.row, self.part, self.more, self.active = row, part, 0, 0
        self.active += end - begin

    def flush(self) -> None:
        if self.row is not None:
            self.writer.put(self.row, self.more, self.active if self.more else 0)
        self.row = None


def tell(db: Database, scope: Scope, begin: int, end: int) -> Lanes:
    """Of lives between begin and end, nanoseconds since the epoch."""
    wanted = LifeFilter(scope, begin=begin, end=end + 1)
    lanes = Lanes(lives=sum(db.life_counts(wanted)))
    writer = _Writer(begin)
    merger = None
    if lanes.lives > MOST:
        parts = min(PARTS, max(1, MOST // db.slab_count(wanted)))
        merger = _Merger(writer, begin, (end - begin) // parts + 1)
    numbers = _superslabs(db, lanes)
    last = None
    for row in db.lives_by_slab(wanted):
        row = dict(row)
        key = row['proc'], row['ss'], row['mapping']
        if (key, row['slab']) != last:
            if merger:
                merger.flush()
            last = key, row['slab']
            writer.start(_number(numbers, lanes, key), row['slab'])
        (merger or writer).put(row)
    if merger:
        merger.flush()
        lanes.merged = merger.merged
    lanes.packed = writer.packed()
    _spells(db, lanes, numbers)
    return lanes


def _superslabs(db: Database, lanes: Lanes) -> dict:
    numbers: dict = {}
    for row in db.table('superslab'):
        _number(numbers, lanes, (row['proc'], row['ss'], row['mapping']), row)
    return numbers


def _number(numbers: dict, lanes: Lanes, key: tuple, row=None) -> int:
    if key not in numbers:
        numbers[key] = len(lanes.superslabs)
        proc, ss, mapping = key
        lanes.superslabs.append({
            'proc': proc, 'address': f'0x{ss & (1 << 64) - 1:x}', 'mapping': mapping,
            **({name: row[name] for name in ('time', 'unmapped', 'lg', 'slabs', 'cls')}
               if row else dict.fromkeys(('time', 'unmapped', 'lg', 'slabs', 'cls')))})
    return numbers[key]


def _spells(db: Database, lanes: Lanes, numbers: dict) -> None:
    """Of lives that changed hands: [superslab, slab, begin, end, owner, tid], owner 0: published."""
    for row in db.table('spell', 'proc, ss, mapping, slab, n, spell'):
        key = row['proc'], row['ss'], row['mapping']
        if key not in numbers:
            continue
        if len(lanes.spells) < SPELLS_MOST:
            lanes.spells.append([numbers[key], row['slab'], row['begin'], row['end'], row['owner'],
                                 row['tid']])
        else:
            lanes.spells_left_out += 1
