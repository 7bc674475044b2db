"""State dumps: what they say, and which of them recordings stand on that begin in the middle."""

from hak.db import Database, Scope

# Of all dumps of a recording a report has so many, spread over its time.
TOLD = 200
_NUMBERS = ('pid', 'seq', 'begin', 'end', 'rss', 'vm', 'limit_as', 'cgroup_used', 'cgroup_limit',
            'maps', 'max_maps', 'threads', 'superslab_bytes', 'purged_bytes', 'superslabs', 'slabs',
            'active', 'ns', 'live', 'live_error')
_CLASS = ('stride', 'active', 'peak', 'cap', 'slabs', 'used', 'carved', 'capacity', 'parked', 'listed',
          'marked', 'unmarked', 'shared_fail', 'legacy_blocks')


def told(db: Database, scope: Scope) -> list:
    """Without those in between if there are too many. complete: all that it tells is there.

    live: bytes of the program's blocks; live_error: by how much that may be off, since the longest
    remote queues are estimated. Both are as exact as the time that a dump takes, in which threads go
    on.
    """
    rows = db.dumps(scope)
    step = max(1, -(-len(rows) // TOLD))
    return [_told(db, row) for number, row in enumerate(rows)
            if number % step == 0 or number == len(rows) - 1]


def _told(db: Database, row) -> dict:
    return {**{key: row[key] for key in _NUMBERS}, 'why': db.label('dump_why', row['why']),
            'complete': bool(row['complete']),
            'mapped': None if None in (row['superslab_bytes'], row['ace_mapped']) else
            row['superslab_bytes'] + row['ace_mapped']}


def classes(db: Database, scope: Scope) -> list:
    """Of each process's first and last complete dump."""
    found: dict = {}
    for row in db.dumps(scope):
        if row['complete']:
            found.setdefault(row['proc'], []).append(row)
    return [{'pid': dump['pid'], 'seq': dump['seq'], 'time': dump['begin'], 'cls': row['cls'],
             **{key: row[key] for key in _CLASS}}
            for rows in found.values() for dump in (rows[:1] + rows[1:][-1:])
            for row in db.dumped_classes(dump['proc'], dump['seq'])
            if scope.cls in (None, row['cls'])]


def bases(db: Database, scope: Scope) -> list:
    """The processes that are recorded from the middle on. time: the begin of the dump from which on
    all is known of them, unless it was overwritten; None: there is none."""
    kept = max((row['end'] or 0 for row in db.losses() if row['kind'] == 'overwritten'), default=0)
    base: dict = {}
    for row in db.dumps(scope):
        # The first of those after it, else the last before.
        if row['complete'] and row['transitions'] and (
                row['proc'] not in base or base[row['proc']]['begin'] < kept):
            base[row['proc']] = row
    return [{'proc': row['proc'], 'pid': row['pid'], 'name': row['name'],
             **({'time': base[row['proc']]['begin'], 'slabs': base[row['proc']]['slabs']}
                if row['proc'] in base else {'time': None, 'slabs': 0})}
            for row in db.processes(scope) if not row['complete']]


def pressure(db: Database, scope: Scope) -> list:
    """Times at which memory came near to a limit."""
    wanted = ('time', 'pid', 'percent', 'used', 'rss')
    return [{**{key: row[key] for key in wanted}, 'limit': row['used_limit'],
             'what': db.label('pressure_what', row['what'])} for row in db.pressure(scope)]
