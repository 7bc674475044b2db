"""The program misused the heap: nothing else that is seen afterwards is beyond doubt."""

from collections.abc import Iterator

from hak import ui
from hak.geometry import LAYER_CLASSES, class_text
from hak.oom.facts import Facts
from hak.oom.verdict import Evidence, Insufficient, Verdict

CAUSES = ('corruption',)
WORDS = {'hdr_reset': ('write to a freed block', 'writes to freed blocks'),
         'double_free': ('double free', 'double frees'),
         'invalid_free': ('free of what is no block', 'frees of what is no block')}
COUNTERS = {'hdr_reset': 'hdr_resets', 'double_free': 'double_frees',
            'invalid_free': 'invalid_frees'}
SEEN, COUNTED = 0.9, 0.8
# What it did to memory cannot be measured: as much as what explains half.
WEIGHT = 0.6


def judge(facts: Facts) -> Iterator[Verdict | Insufficient]:
    seen = {kind: rows for kind in WORDS if (rows := facts.failures(kind))}
    before = {kind: count for kind, count in _counted(facts).items() if kind not in seen and count}
    if seen or before:
        evidence = sorted((_seen(kind, rows) for kind, rows in seen.items()),
                          key=lambda each: each.time)
        evidence += [Evidence(f'{ui.counted(count, *WORDS[kind])} before the recording began',
                              facts.last_dump.time, {'kind': kind, 'count': count})
                     for kind, count in before.items()]
        first = min(rows[0]['time'] for rows in seen.values()) if seen else facts.began
        yield Verdict('corruption', SEEN if seen else COUNTED, facts.began if before else first,
                      WEIGHT, evidence, 'hak memcheck -- CMD')
    elif facts.gap:
        yield Insufficient('corruption', facts.gap, facts.next_time)


def _counted(facts: Facts) -> dict[str, int]:
    dump = facts.last_dump
    return {kind: dump.row[column] for kind, column in COUNTERS.items()} if dump else {}


def _seen(kind: str, rows: list) -> Evidence:
    first = rows[0]
    whose = ('' if first['cls'] is None or first['ss'] == 0 else
             f' of the {LAYER_CLASSES[first["cls"]].lower()} layer' if first['cls'] in LAYER_CLASSES
             else f' of class {class_text(first["cls"])}')
    address = f'0x{first["address"] & (1 << 64) - 1:x}'
    return Evidence(f'{ui.counted(len(rows), *WORDS[kind])}, the first at {address}{whose} by '
                    f'thread {first["tid"]}', first['time'],
                    {'kind': kind, 'count': len(rows), 'address': address, 'tid': first['tid']})
