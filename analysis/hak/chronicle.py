"""The lives of slabs as a timeline tells them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Optional

from hak.db import Database, LifeFilter
from hak.geometry import ENDS


@dataclass(frozen=True)
class Spell:
    """A time in the hands of one owner; owner 0: published, nobody's."""
    owner: int
    tid: int
    begin: Optional[int]
    end: Optional[int]


@dataclass(frozen=True)
class Life:
    """Times in nanoseconds since the epoch. begin None: before the recording."""
    pid: int
    ss: str
    mapping: int                 # which SuperSlab of its process: addresses come again
    slab: int
    gen: int
    cls: int
    begin: Optional[int]
    end: Optional[int]
    ended: str
    purged: Optional[int]        # its memory went back, before another life
    unmapped: Optional[int]      # with all of its SuperSlab
    dumped: Optional[int]        # the state dump that told it before an event did
    stage: Optional[str]
    from_cls: Optional[int]
    owner: int
    tid: int
    capacity: Optional[int]
    refills: Optional[int]       # these are None where batches were not recorded
    refilled: Optional[int]
    pushes: Optional[int]
    pushed: Optional[int]
    drains: Optional[int]
    drained: Optional[int]
    used_max: Optional[int]      # unless a state dump tells
    used_last: Optional[int]
    certain: bool
    spells: list = field(default_factory=list)


@dataclass(frozen=True)
class Frame:
    """What a timeline says besides lives."""
    begun: int         # lives that began in the recording
    carried: int       # and before it
    bases: list        # of processes recorded from the middle on: see dumps.bases()
    pressure: list
    batches: bool      # what passes between threads' caches and slabs was recorded


def lives(db: Database, wanted: LifeFilter, limit: Optional[int]) -> Iterator[Life]:
    """In the order of their begin, those that began before the recording first."""
    same = ('pid', 'mapping', 'slab', 'gen', 'cls', 'begin', 'end', 'purged', 'unmapped',
            'dumped', 'from_cls', 'owner', 'tid', 'capacity', 'refills', 'refilled', 'pushes', 'pushed',
            'drains', 'drained', 'used_max', 'used_last')
    for row in db.lives(wanted, limit):
        yield Life(ss=f'0x{row["ss"] & (1 << 64) - 1:x}', ended=ENDS[row['ended']],
                   stage=db.label('stage', row['stage']), certain=bool(row['certain']),
                   spells=_spells(db, row), **{key: row[key] for key in same})


def _spells(db: Database, row) -> list[Spell]:
    if row['spells'] == 1:
        return [Spell(row['owner'], row['tid'], row['begin'], row['end'])]
    return [Spell(spell['owner'], spell['tid'], spell['begin'], spell['end'])
            for spell in db.spells(row)]
