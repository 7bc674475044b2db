"""The events around a violation, read once more from the trace."""

from collections import deque

import bt2

from hak.errors import HakError

BEFORE_NS, AFTER_NS = 2_000_000, 1_000_000
BEFORE, AFTER = 6, 2


def events(folders: list, row) -> list[dict]:
    """Events of the same slab or owner shortly before and after a row of the table violation.

    The violating one has 'here': True.
    """
    before: deque = deque(maxlen=BEFORE + 1)
    after: list[dict] = []
    try:
        for message in _messages(folders, row['time'] - BEFORE_NS, row['time'] + AFTER_NS):
            if type(message) is not bt2._EventMessageConst or not _concerns(message.event, row):
                continue
            time = message.default_clock_snapshot.ns_from_origin
            if time > row['time']:
                after.append(_told(message.event, time, row))
                if len(after) == AFTER:
                    break
            else:
                before.append(_told(message.event, time, row))
    except (bt2._Error, HakError):
        pass  # a damaged trace: what was read is told
    return [*before, *after]


def _messages(folders: list, begin: int, end: int):
    trimmer = bt2.ComponentSpec.from_named_plugin_and_component_class(
        'utils', 'trimmer', {'begin': _time(begin), 'end': _time(end)})
    return bt2.TraceCollectionMessageIterator([str(folder) for folder in folders], [trimmer])


def _time(ns: int) -> str:
    return f'{ns // 10 ** 9}.{ns % 10 ** 9:09d}'


def _concerns(event, row) -> bool:
    if not event.name or not event.name.startswith('hakmem:'):
        return False
    context = event.common_context_field
    if context is not None and 'vpid' in context and row['pid'] != int(context['vpid']):
        return False
    payload = event.payload_field
    if row['ss'] is not None and 'ss' in payload and int(payload['ss']) == row['ss']:
        return 'slab' not in payload or int(payload['slab']) == row['slab']
    return (row['owner'] is not None and 'owner' in payload
            and int(payload['owner']) == row['owner'])


def _told(event, time: int, row) -> dict:
    name = event.name.removeprefix('hakmem:')
    words = ' '.join(f'{key}={_value(value)}' for key, value in event.payload_field.items())
    return {'time': time, 'event': f'{name} {words}',
            'here': time == row['time'] and row['seen'].split()[0] == name}


def _value(field) -> str:
    if isinstance(field, bt2._EnumerationFieldConst):
        return field.labels[0] if field.labels else str(int(field))
    if isinstance(field, bt2._UnsignedIntegerFieldConst) and field.cls.preferred_display_base == 16:
        return hex(field)
    return str(field)
