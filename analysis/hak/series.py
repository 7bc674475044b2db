"""What a process did over time, in equal parts, for charts."""

from typing import Optional

from hak.db import Database, Scope
from hak.geometry import NO_CLASS, STAGES

PARTS = 600
TICK_NS = 10 ** 7   # what the tables count by
PROCESSES = 12      # the busiest
_STAGE_COLUMNS = tuple(zip(STAGES, ('stage_0_5', 'stage_1', 'stage_2', 'adopt', 'rebind', 'stage_3')))
_MEMORY = ('tiny', 'returned', 'mid', 'large', 'huge')


def tell(db: Database, scope: Scope, begin: int, end: int) -> dict:
    """begin, end: nanoseconds since the epoch. `processes`: of the PROCESSES with the most events."""
    step = -(-(end - begin + 1) // (PARTS * TICK_NS)) * TICK_NS
    parts = (end - begin) // step + 1
    rows = sorted(db.processes(scope), key=lambda row: -row['events'])
    frame = _Frame(begin, step, parts)
    memory = _memory(db, scope, frame)
    failures = _failures(db, scope, frame)
    processes = [{'proc': row['proc'], 'pid': row['pid'], 'name': row['name'],
                  'classes': _classes(db, row, frame, scope),
                  'memory': memory.get(row['proc']),
                  'failures': failures.get(row['proc'], {})} for row in rows[:PROCESSES]]
    return {'begin': begin, 'step': step, 'parts': parts, 'processes': processes,
            'leftOut': max(0, len(rows) - PROCESSES)}


class _Frame:
    def __init__(self, begin: int, step: int, parts: int):
        self.begin, self.step, self.parts = begin, step, parts

    def part(self, time: int) -> int:
        """Negative before the frame begins."""
        return (time - self.begin) // self.step

    def end(self) -> int:
        return self.begin + self.parts * self.step


class _Level:
    """The most that something was in each part; what it was before lasts until it changes.
    now: None while it is not known."""

    def __init__(self, frame: _Frame, now: Optional[int] = 0):
        self.row, self.now, self.upto = [None] * frame.parts, now, 0

    def put(self, part: int, value: int) -> None:
        part = min(part, len(self.row) - 1)
        self._fill(part + 1)
        if part >= 0:
            self.row[part] = value if self.row[part] is None else max(self.row[part], value)
        self.now = value

    def _fill(self, end: int) -> None:
        for index in range(self.upto, end):
            self.row[index] = self.now
        self.upto = max(self.upto, end)

    def finish(self) -> list:
        self._fill(len(self.row))
        return self.row


class _Class:
    def __init__(self, frame: _Frame, known: bool):
        self.frame = frame
        self.counts: dict = {}
        self.active, self.used = (_Level(frame, 0 if known else None) for _ in range(2))

    def count(self, name: str, part: int, number: int) -> None:
        if number and 0 <= part < self.frame.parts:
            self.counts.setdefault(name, [0] * self.frame.parts)[part] += number


def _classes(db: Database, process, frame: _Frame, scope: Scope) -> dict:
    """Class -> what it did. used: blocks that are not on their slabs' freelists."""
    known, found = bool(process['complete']), {}
    base = None if known else _base(db, process['proc'])
    flows = db.event_totals().get('sll_refill', 0) > 0

    def of(cls: int) -> _Class:
        if cls not in found:
            found[cls] = _Class(frame, known)
            if base and cls in base['used']:
                found[cls].used.put(frame.part(base['time']), base['used'][cls])
        return found[cls]

    for row in db.ticks(process['proc'], frame.end()):
        cls, part = row['cls'], frame.part(row['tick'])
        if scope.cls not in (None, cls):
            continue
        one = of(cls)
        for stage, column in _STAGE_COLUMNS:
            one.count(stage, part, row[column])
        for name in ('shared_fail', 'legacy', 'pushed', 'given_own', 'given_remote'):
            one.count(name, part, row[name])
        if cls == NO_CLASS:
            continue
        one.active.put(part, row['active'])
        before = one.used.now
        if flows and before is not None and (known or row['tick'] >= base['time']):
            now = before + row['refilled'] - row['given_own'] - row['given_remote']
            one.used.put(part, max(0, now))
    return {cls: {**one.counts, 'active': one.active.finish(),
                  **({'used': one.used.finish()} if flows else {})}
            for cls, one in sorted(found.items())}


def _base(db: Database, proc: int):
    """The first complete state dump of a process that is recorded from its middle on."""
    for row in db.rows_of('dump', proc, 'begin'):
        if row['complete']:
            return {'time': row['begin'], 'used': {of['cls']: of['used'] or 0 for of in
                                                   db.dumped_classes(proc, row['seq'])}}
    return None


def _memory(db: Database, scope: Scope, frame: _Frame) -> dict:
    """proc -> the most that each layer had mapped in each part."""
    found: dict = {}
    for row in db.memory(scope):
        levels = found.setdefault(row['proc'], {name: _Level(frame) for name in _MEMORY})
        for name, level in levels.items():
            level.put(frame.part(row['tick']), row[name])
    return {proc: {name: level.finish() for name, level in levels.items()}
            for proc, levels in found.items()}


def _failures(db: Database, scope: Scope, frame: _Frame) -> dict:
    """proc -> kind -> how many in each part."""
    found: dict = {}
    for row in db.failures_by_time(scope):
        part = frame.part(row['time'])
        if 0 <= part < frame.parts:
            counts = found.setdefault(row['proc'], {}).setdefault(row['kind'], [0] * frame.parts)
            counts[part] += row['times']
    return found
