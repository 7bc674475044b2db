"""Counts a trace again, slowly and another way than the plugin does."""

from collections import Counter, defaultdict
from pathlib import Path

import bt2


def folders(trace: Path) -> list[str]:
    return [str(path.parent) for path in trace.rglob('metadata')]


def events(trace: Path):
    """(nanoseconds, pid, name, fields) of every hakmem event."""
    for message in bt2.TraceCollectionMessageIterator(folders(trace)):
        if type(message) is bt2._EventMessageConst and message.event.name.startswith('hakmem:'):
            event = message.event
            fields = {key: _plain(value) for key, value in event.payload_field.items()}
            context = event.common_context_field
            pid = int(context['vpid']) if context is not None and 'vpid' in context else None
            yield (message.default_clock_snapshot.ns_from_origin, pid,
                   event.name.removeprefix('hakmem:'), fields)


def _plain(value):
    if isinstance(value, bt2._EnumerationFieldConst):
        return value.labels[0]
    return str(value) if isinstance(value, bt2._StringFieldConst) else int(value)


def recount(trace: Path, begin: int = 0, end: int = 1 << 63, pid=None, cls=None) -> dict:
    """What `hak report --json` must say, for the events in [begin, end)."""
    counts: dict = {
        'stages': Counter(), 'classes': defaultdict(lambda: {
            'stages': Counter(), 'lives': 0, 'shared_fail': 0, 'legacy': 0, 'refilled': 0,
            'given_remote': 0, 'pushed': 0, 'collected': 0}),
        'events': Counter(), 'lives': 0, 'ace_fail': Counter(), 'threads': Counter(),
        'memory': Counter(), 'most_mapped': 0}
    for time, whose, name, fields in events(trace):
        if not begin <= time < end or pid not in (None, whose):
            continue
        counts['events'][name] += 1
        if cls is not None and fields.get('cls') != cls:
            continue
        _count(counts, counts['classes'][fields.get('cls')], name, fields)
        _count_memory(counts, name, fields)
    return counts


def _count(counts: dict, of_class: dict, name: str, fields: dict) -> None:
    if name == 'acquire_stage' and fields['outcome'] == 'HIT':
        counts['stages'][fields['stage']] += 1
        of_class['stages'][fields['stage']] += 1
        counts['threads'][fields['owner']] += 1
    elif name == 'slab_active':
        counts['lives'] += 1
        of_class['lives'] += 1
    elif name == 'shared_fail':
        of_class['shared_fail'] += 1
    elif name == 'legacy_alloc':
        of_class['legacy'] += 1
    elif name == 'sll_refill':
        of_class['refilled'] += fields['taken']
    elif name == 'sll_drain':
        of_class['given_remote'] += fields['remote']
    elif name == 'remote_push':
        of_class['pushed'] += fields['blocks']
    elif name == 'remote_drain':
        of_class['collected'] += fields['blocks']
    elif name == 'ace_fail':
        counts['ace_fail'][fields['reason']] += 1


def _count_memory(counts: dict, name: str, fields: dict) -> None:
    memory = counts['memory']
    if name == 'superslab_map':
        memory['maps'] += 1
        memory['mapped'] += 1 << fields['lg']
        counts['most_mapped'] = max(counts['most_mapped'], memory['mapped'])
    elif name == 'superslab_unmap':
        memory['unmaps'] += 1
        memory['unmap_bytes'] += 1 << fields['lg']
        memory['mapped'] -= 1 << fields['lg']
    elif name == 'superslab_purge':
        memory['purges'] += 1
        memory['purge_bytes'] += fields['bytes']
