"""Requests that the shared pool refused: by a soft cap, out of reach of EMPTY slabs."""

from collections.abc import Iterator
from dataclasses import dataclass

from hak import ui
from hak.geometry import STRIDES, class_name, class_text
from hak.oom.facts import SLAB, Facts
from hak.oom.verdict import Evidence, Insufficient, Verdict

CAUSES = ('stranded_empty', 'scan_limit', 'soft_cap')
# Of the ACTIVE slabs of a class at its cap: fewer with nothing live are those on their way.
STRANDED_LEAST = 0.05
# A refusal that was seen, and one that a dump has counted only.
SEEN, COUNTED = 0.95, 0.7
CLASSES_TOLD = 3


@dataclass(frozen=True)
class Refusal:
    """Of one class; the counts are those of the refusal with most slabs that had nothing live."""
    cls: int
    scan_limit: bool
    count: int
    first: int
    last: int
    active: int
    cap: int
    marked: int
    unmarked: int
    confidence: float

    @property
    def idle(self) -> int:
        return self.marked + self.unmarked

    def stranded(self, recycles: bool) -> bool:
        """Where slabs are recycled, those that are only marked are on their way to the list."""
        idle = self.unmarked if recycles else self.idle
        return idle > 0 and idle >= STRANDED_LEAST * self.active


def judge(facts: Facts) -> Iterator[Verdict | Insufficient]:
    refusals = [*_seen(facts), *_counted(facts)]
    groups: dict[str, list[Refusal]] = {cause: [] for cause in CAUSES}
    for refusal in refusals:
        groups[_cause(refusal, facts)].append(refusal)
    for cause, found in groups.items():
        if found:
            yield _verdict(cause, found, facts)
        elif facts.gap:
            yield Insufficient(cause, facts.gap, facts.next_time)


def _cause(refusal: Refusal, facts: Facts) -> str:
    if refusal.scan_limit:
        return 'scan_limit'
    recycles = facts.setting('HAKMEM_SS_EMPTY_RECYCLE', 'full') == 'full'
    return 'stranded_empty' if refusal.stranded(recycles) else 'soft_cap'


def _seen(facts: Facts) -> Iterator[Refusal]:
    for row in facts.fails:
        if row['reason'] != 'FAIL_MAP_FAIL':
            yield Refusal(row['cls'], row['reason'] == 'FAIL_SCAN_LIMIT', row['count'],
                          row['first'], row['last'], row['active'], row['cap'], row['marked'],
                          row['unmarked'], SEEN)


def _counted(facts: Facts) -> Iterator[Refusal]:
    """Before the recording began. Caps that are learned give way, so what was refused below one
    was refused by the system."""
    dump, seen = facts.last_dump, {row['cls'] for row in facts.fails}
    for cls, row in (dump.classes if dump else {}).items():
        if row['shared_fail'] and cls not in seen and row['frozen'] and row['peak'] >= row['cap']:
            yield Refusal(cls, bool(row['marked']) and _scans(facts), row['shared_fail'],
                          dump.time, dump.time, row['active'], row['cap'], row['marked'],
                          row['unmarked'], COUNTED)


def _scans(facts: Facts) -> bool:
    """Is stage 0.5 who should find slabs that are marked?"""
    return (facts.setting('HAKMEM_SS_EMPTY_RECYCLE', 'full') == 'mark'
            and facts.setting('HAKMEM_SS_EMPTY_REUSE', '1') != '0')


def _verdict(cause: str, refusals: list[Refusal], facts: Facts) -> Verdict:
    refusals = sorted(refusals, key=lambda refusal: -refusal.count)
    evidence = [_evidence(cause, refusal) for refusal in refusals[:CLASSES_TOLD]]
    count = sum(refusal.count for refusal in refusals)
    return Verdict(cause, max(refusal.confidence for refusal in refusals),
                   min(refusal.first for refusal in refusals), facts.share_of_refused(count),
                   [*evidence, *_settings(cause, facts)], _CHANGES[cause](refusals, facts))


def _evidence(cause: str, refusal: Refusal) -> Evidence:
    numbers = {'cls': refusal.cls, 'requests': refusal.count, 'first': refusal.first,
               'last': refusal.last, 'active': refusal.active, 'cap': refusal.cap,
               'marked': refusal.marked, 'unmarked': refusal.unmarked}
    idle = {
        'stranded_empty': f'{ui.counted(refusal.idle, "slab")} with nothing live on no list',
        'scan_limit': f'{ui.counted(refusal.marked, "EMPTY slab")} beyond the scan limit',
        'soft_cap': ui.counted(refusal.idle, 'slab') + ' with nothing live',
    }[cause]
    return Evidence(f'class {class_text(refusal.cls)}: {ui.counted(refusal.count, "request")} fell '
                    f'to legacy with {refusal.active:,} slabs ACTIVE at a soft cap of '
                    f'{refusal.cap:,}, and {idle}', refusal.first, numbers)


def _settings(cause: str, facts: Facts) -> Iterator[Evidence]:
    knobs = {'stranded_empty': ('HAKMEM_SS_EMPTY_RECYCLE', 'HAKMEM_SS_EMPTY_REUSE'),
             'scan_limit': ('HAKMEM_SS_EMPTY_RECYCLE', 'HAKMEM_SS_EMPTY_SCAN_LIMIT'),
             'soft_cap': ('HAKMEM_TINY_CAP',)}[cause]
    given = {knob: facts.settings[knob] for knob in knobs if knob in facts.settings}
    if given:
        yield Evidence('set: ' + ' '.join(f'{knob}={value}' for knob, value in given.items()),
                       None, given)


# ---- what to change ----

def _recycle(_: list[Refusal], facts: Facts) -> str:
    more = ' HAKMEM_SS_EMPTY_REUSE=1' if facts.setting('HAKMEM_SS_EMPTY_REUSE', '1') == '0' else ''
    return 'export HAKMEM_SS_EMPTY_RECYCLE=full' + more


def _scan_further(_: list[Refusal], facts: Facts) -> str:
    """Over as many SuperSlabs as there ever were, with room for as many again."""
    there = len(facts.rows('superslab'))
    limit = int(facts.setting('HAKMEM_SS_EMPTY_SCAN_LIMIT', '64'))
    return f'export HAKMEM_SS_EMPTY_SCAN_LIMIT={max(64, 2 * limit, 2 * there)}'


def _raise_caps(refusals: list[Refusal], facts: Facts) -> str:
    """To what the classes would have needed, had no block that legacy gave been freed again."""
    caps = _caps(facts.setting('HAKMEM_TINY_CAP', ''))
    names = []
    for refusal in refusals:
        blocks = facts.legacy_blocks(refusal.cls)
        more = -(-blocks * STRIDES[refusal.cls] // SLAB)
        names.append(class_name(refusal.cls))
        caps[refusal.cls] = refusal.cap + max(more, refusal.cap // 2, 1)
    text = ','.join(f'{cls}:{cap}' for cls, cap in sorted(caps.items()))
    if facts.settings and 'HAKMEM_TINY_CAP' not in facts.settings:
        return f'hak_set_cap in the program, which has capped {", ".join(names)}, to {text}'
    return f'export HAKMEM_TINY_CAP={text}'


def _caps(text: str) -> dict[int, int]:
    """'6:8,7:96' -> {6: 8, 7: 96}"""
    pairs = (part.split(':') for part in text.split(',') if ':' in part)
    return {int(cls): int(cap) for cls, cap in pairs if cls.isdigit() and cap.isdigit()}


_CHANGES = {'stranded_empty': _recycle, 'scan_limit': _scan_further, 'soft_cap': _raise_caps}
