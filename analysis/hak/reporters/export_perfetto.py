"""`hak export --perfetto`: a process's slabs as tracks under their SuperSlabs, what it needed and
was refused as counters, failures as instants."""

from itertools import groupby
from typing import BinaryIO, Iterator

from hak.geometry import ENDS, STAGE_NAMES, class_name, class_text
from hak.perfetto import Writer
from hak.reading import Source

TICK_NS = 10_000_000
LAYERS = {'tiny': 'SuperSlabs', 'returned': 'purged in SuperSlabs', 'mid': 'mid layer',
          'large': 'large layer', 'huge': 'huge layer'}
STAGES = {'stage_0_5': 'STAGE_0_5', 'stage_1': 'STAGE_1', 'stage_2': 'STAGE_2', 'adopt': 'ADOPT',
          'rebind': 'REBIND', 'stage_3': 'STAGE_3'}
# Columns of failures that are labels' numbers.
LABELS = {'ace_fail': {'reason': 'ace_reason', 'layer': 'ace_layer'},
          'hdr_reset': {'place': 'word_where'}, 'invalid_free': {'reason': 'invalid_why'}}
ADDRESSES = {'address', 'ss', 'got', 'expect', 'word'}


def write(source: Source, out: BinaryIO) -> dict:
    """Returns how many tracks, slices, instants and counters there are."""
    db = source.db
    writer = Writer(out, source.first)
    processes = {row['proc']: writer.process(row['pid'], row['name'] or '?')
                 for row in db.table('process')}
    _slabs(source, writer, processes)
    _memory(db, writer, processes)
    _dumps(db, writer, processes)
    _ticks(db, writer, processes)
    _caps(db, writer, processes)
    _failures(db, writer, processes)
    _pressure(db, writer, processes)
    _losses(db, writer, source.db.meta['last'])
    return writer.counts


def _hex(value: int) -> str:
    return f'0x{value & (1 << 64) - 1:x}'


# ---- slabs ----

def _slabs(source: Source, writer: Writer, processes: dict) -> None:
    db = source.db
    # Whether a process lived on after its last event, nobody can tell.
    ended = {row['proc']: row['ended'] for row in db.table('process')}
    folders = {proc: writer.track('SuperSlabs', track) for proc, track in processes.items()}
    parents = {}
    for row in db.table('superslab', 'proc, ifnull(time, 0), mapping'):
        kind = db.label('ss_kind', row['kind']) or 'unknown'
        track = writer.track(f'SuperSlab {_hex(row["ss"])} #{row["mapping"]}', folders[row['proc']])
        parents[row['proc'], row['ss'], row['mapping']] = track
        begin, end = row['time'] or source.first, row['unmapped'] or ended[row['proc']]
        writer.slice(track, begin, max(begin, end), 'mapped', kind=kind,
                     bytes=1 << row['lg'] if row['lg'] else None,
                     cls=None if row['cls'] is None else class_name(row['cls']),
                     began='before the recording' if row['time'] is None else None,
                     purges=row['purges'], purged_bytes=row['purged_bytes'])
    for row in db.table('purge', 'proc, time'):
        track = parents.get((row['proc'], row['ss'], row['mapping']))
        if track:
            writer.instant(track, row['time'], 'purge', slabs=row['slabs'], bytes=row['bytes'])
    lives = db.table('life', 'proc, ss, mapping, slab, n')
    for (proc, ss, mapping, slab), rows in groupby(
            lives, lambda row: (row['proc'], row['ss'], row['mapping'], row['slab'])):
        parent = parents.get((proc, ss, mapping), folders[proc])
        track = writer.track(f"{_hex(ss)}#{mapping}:{slab}", parent)
        for begin, end, name, facts in _lane(db, list(rows), source.first, ended[proc]):
            writer.slice(track, begin, end, name, **facts)


def _lane(db, rows: list, first: int, last: int) -> Iterator[tuple]:
    """One slab's time: its lives, and in between EMPTY and purged."""
    begins = [first if row['begin'] is None else row['begin'] for row in rows]
    for row, begin, until in zip(rows, begins, [*begins[1:], None]):
        if until is None:
            until = row['unmapped'] or last
        end = until if row['end'] is None else row['end']
        yield begin, max(begin, end), class_name(row['cls']), _facts(db, row)
        if row['end'] is None or ENDS[row['ended']] not in ('listed', 'unlisted'):
            continue
        purged = row['purged'] or until
        if purged > end:
            yield end, purged, 'EMPTY', {'how': ENDS[row['ended']]}
        if until > purged:
            yield purged, until, 'purged', {}


def _facts(db, row) -> dict:
    return {'class': class_text(row['cls']), 'gen': row['gen'],
            'stage': db.label('stage', row['stage']), 'owner': row['owner'], 'tid': row['tid'],
            'ended': ENDS[row['ended']], 'capacity': row['capacity'],
            'used_max': row['used_max'], 'pushed': row['pushed'] or None,
            'began': 'before the recording' if row['begin'] is None else None}


# ---- counters ----

def _memory(db, writer: Writer, processes: dict) -> None:
    for proc, rows in groupby(db.table('memory', 'proc, tick'), lambda row: row['proc']):
        tracks = {key: writer.counter(f'mapped: {name}', processes[proc], 'bytes')
                  for key, name in LAYERS.items()}
        for row in rows:
            for key, track in tracks.items():
                writer.count(track, row['tick'] + TICK_NS, row[key])


def _dumps(db, writer: Writer, processes: dict) -> None:
    """What only state dumps tell, as the system sees the process."""
    for proc, rows in groupby(db.table('dump', 'proc, begin'), lambda row: row['proc']):
        tracks = {key: writer.counter(name, processes[proc], 'bytes') for key, name in
                  (('rss', 'RSS'), ('vm', 'address space'), ('cgroup_used', 'memory cgroup'))}
        for row in rows:
            for key, track in tracks.items():
                if row[key] is not None:
                    writer.count(track, row['begin'], row[key])


def _ticks(db, writer: Writer, processes: dict) -> None:
    """ACTIVE slabs, refusals and blocks from legacy of each class, and acquires by stage."""
    for (proc, cls), rows in groupby(db.table('tick', 'proc, cls, tick'),
                                     lambda row: (row['proc'], row['cls'])):
        rows = list(rows)
        of, parent = class_name(cls), processes[proc]
        active = writer.counter(f'ACTIVE slabs {of}', parent, 'count')
        for row in rows:
            writer.count(active, row['tick'] + TICK_NS, row['active'])
        for key, name in (('shared_fail', 'refused'), ('legacy', 'legacy')):
            _per_tick(writer, f'{name} {of} per 10 ms', parent,
                      [(row['tick'], row[key]) for row in rows])
    for proc, parent in processes.items():
        sums = db.stages_by_tick(proc)
        for key, stage in STAGES.items():
            _per_tick(writer, f'acquires, stage {STAGE_NAMES[stage]} per 10 ms', parent,
                      [(row['tick'], row[key]) for row in sums])


def _per_tick(writer: Writer, name: str, parent: int, values: list) -> None:
    """What happened in each tick: nothing in those that are not there. Without any, no track."""
    if not any(value for _, value in values):
        return
    track = writer.counter(name, parent, 'count')
    for (tick, value), (after, _) in zip(values, [*values[1:], (None, 0)]):
        writer.count(track, tick, value)
        if after != tick + TICK_NS:
            writer.count(track, tick + TICK_NS, 0)


def _caps(db, writer: Writer, processes: dict) -> None:
    for (proc, cls), rows in groupby(db.table('cap_change', 'proc, cls, time'),
                                     lambda row: (row['proc'], row['cls'])):
        track = writer.counter(f'soft cap {class_name(cls)}', processes[proc], 'count')
        for row in rows:
            writer.count(track, row['time'], row['cap_to'])


# ---- failures and losses ----

def _failures(db, writer: Writer, processes: dict) -> None:
    for proc, rows in groupby(db.table('failure', 'proc, time'), lambda row: row['proc']):
        track = writer.track('failures', processes[proc])
        for row in rows:
            labels = LABELS.get(row['kind'], {})
            facts = {key: db.label(labels[key], row[key]) if key in labels
                     else _hex(row[key]) if key in ADDRESSES and row[key] is not None
                     else row[key] for key in row.keys() if key not in ('kind', 'time', 'proc')}
            writer.instant(track, row['time'], row['kind'], **facts)


def _pressure(db, writer: Writer, processes: dict) -> None:
    for proc, rows in groupby(db.table('pressure', 'proc, time'), lambda row: row['proc']):
        track = writer.track('pressure', processes[proc])
        for row in rows:
            writer.instant(track, row['time'], 'pressure', percent=row['percent'],
                           what=db.label('pressure_what', row['what']), used=row['used'],
                           limit=row['used_limit'], rss=row['rss'])


def _losses(db, writer: Writer, last: int) -> None:
    """A track a stream, since losses of several overlap."""
    for stream, rows in groupby(db.table('loss', 'stream, begin'), lambda row: row['stream']):
        track = writer.track(f'lost: {stream or "overwritten"}')
        for row in rows:
            begin = writer.begin if row['begin'] is None else row['begin']
            end = last if row['end'] is None else row['end']
            writer.slice(track, begin, max(begin, end), f'lost {row["kind"]}', count=row['count'])
