"""What a report says of memory: what each layer mapped and gave back, and what was learned."""

from hak.db import Database, Scope

# A process's memory over time is told in so many parts.
PARTS = 60
# Sooner than this after its mapping a SuperSlab should not be unmapped, nor a purged slab be
# needed again.
SOON_NS = 10 ** 9
LAYERS = ('TINY', 'MID', 'LARGE', 'HUGE')
_SERIES = ('tiny', 'returned', 'mid', 'large', 'huge')


def layers(db: Database, scope: Scope) -> list:
    """SuperSlabs (TINY) and ACE's layers of each process, the largest first."""
    wanted = ('pid', 'mapped', 'peak', 'peak_at', 'maps', 'map_bytes', 'unmaps', 'unmap_bytes',
              'purges', 'purge_bytes', 'remaps', 'moves', 'ns')
    return [{'layer': db.label('ace_layer', row['layer']), **{key: row[key] for key in wanted}}
            for row in db.layers(scope)]


def over_time(db: Database, scope: Scope, begin: int, end: int) -> list:
    """Per process the most that was mapped, and purged, in each part of the time; as it was at the
    end of every 10 ms."""
    found: dict = {}
    step = max(1, (end - begin) // PARTS + 1)
    for row in db.memory(scope):
        parts = found.setdefault(row['pid'], [])
        part = min(PARTS - 1, max(0, row['tick'] - begin) // step)
        now = {key: row[key] for key in _SERIES}
        if parts and parts[-1][0] == part:
            most = {key: max(parts[-1][1][key], now[key]) for key in _SERIES}
            parts[-1] = part, most, now
        else:
            # What was there when the part began was there in it.
            before = parts[-1][2] if parts else dict.fromkeys(_SERIES, 0)
            parts.append((part, {key: max(before[key], now[key]) for key in _SERIES}, now))
    return [{'pid': pid, 'step_ns': step, 'parts': _filled(parts), 'last': parts[-1][2]}
            for pid, parts in found.items()]


def _filled(parts: list) -> list:
    """A value for every part up to the last, in parts without a change that of the one before."""
    filled, now, left = [], dict.fromkeys(_SERIES, 0), list(parts)
    for part in range(PARTS):
        if left and left[0][0] == part:
            _, most, now = left.pop(0)
            filled.append(most)
        else:
            filled.append(now)
    return filled


def class_sizes(db: Database, scope: Scope) -> list:
    """Which sizes of SuperSlabs each class mapped, and when."""
    return [{'cls': row['cls'], 'bytes': 1 << row['lg'], 'maps': row['maps'],
             'unmaps': row['unmaps'], 'first': row['first'], 'last': row['last']}
            for row in db.class_sizes(scope)]


def size_changes(db: Database, scope: Scope) -> list:
    return [{'pid': row['pid'], 'time': row['time'], 'cls': row['cls'],
             'from': 1 << row['lg_from'], 'to': 1 << row['lg_to'],
             'why': db.label('size_why', row['why']), 'maps': row['maps'],
             'occupancy': row['occupancy']} for row in db.size_changes(scope)]


def cap_changes(db: Database, scope: Scope) -> list:
    return [{'pid': row['pid'], 'time': row['time'], 'cls': row['cls'], 'from': row['cap_from'],
             'to': row['cap_to'], 'why': db.label('cap_why', row['why']),
             'demand': row['demand']} for row in db.caps(scope)]


def regretted(db: Database, scope: Scope) -> dict:
    """What was given back and needed again so soon that keeping it had been better."""
    return {'unmapped': db.unmapped_within(SOON_NS, scope),
            'purged': db.needed_within(SOON_NS, scope), 'slabs_purged': db.slabs_purged(scope)}
