"""Requests that the shared pool refused: by a soft cap, out of reach of EMPTY slabs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hak import ui
from hak.geometry import class_name, class_text
from hak.oom.facts import Facts
from hak.oom.verdict import Evidence, Insufficient, Verdict

CAUSES = ('stranded_empty', 'scan_limit', 'soft_cap')
# A refusal that was seen, and one that a dump has counted only.
SEEN, COUNTED = 0.95, 0.7
CLASSES_TOLD = 3
# As the plugin has it: fewer slabs with nothing live are on their way to a list.
FEW_OF_ACTIVE = 20


@dataclass(frozen=True)
class Refusal:
    """Requests of one class that had the same cause; the counts of slabs are those of the refusal
    of the class with most slabs that had nothing live."""
    cls: int
    cause: str
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


def judge(facts: Facts) -> Iterator[Verdict | Insufficient]:
    refusals = [*_seen(facts), *_counted(facts)]
    for cause in CAUSES:
        found = [each for each in refusals if each.cause == cause]
        if found:
            yield _verdict(cause, found, facts)
        elif facts.gap:
            yield Insufficient(cause, facts.gap, facts.next_time)


def _seen(facts: Facts) -> Iterator[Refusal]:
    for row in facts.fails:
        if row['reason'] != 'FAIL_MAP_FAIL':
            whole = Refusal(row['cls'], '', row['count'], row['first'], row['last'], row['active'],
                            row['cap'], row['marked'], row['unmarked'], SEEN)
            for cause, count in _shares(row, facts).items():
                if count:
                    yield replace(whole, cause=cause, count=count)


def _shares(row: dict, facts: Facts) -> dict[str, int]:
    """Of the refusals of a class: how many had which cause. Where slabs are recycled, those that
    are only marked are on their way to the list."""
    count = row['count']
    if row['reason'] == 'FAIL_SCAN_LIMIT':
        return {'scan_limit': count}
    stranded = row['forgotten']
    if not _recycles(facts):
        stranded = max(stranded, row['unlisted'])
    return {'stranded_empty': stranded, 'soft_cap': count - stranded}


def _recycles(facts: Facts) -> bool:
    return facts.setting('HAKMEM_SS_EMPTY_RECYCLE', 'full') == 'full'


def _counted(facts: Facts) -> Iterator[Refusal]:
    """Before the recording began. Caps that are learned give way, so what was refused below one
    was refused by the system."""
    dump, seen = facts.last_dump, {row['cls'] for row in facts.fails}
    for cls, row in (dump.classes if dump else {}).items():
        if row['shared_fail'] and cls not in seen and row['frozen'] and row['peak'] >= row['cap']:
            yield Refusal(cls, _likeliest(row, facts), row['shared_fail'], dump.time, dump.time,
                          row['active'], row['cap'], row['marked'], row['unmarked'], COUNTED)


def _likeliest(row: dict, facts: Facts) -> str:
    """By what the dump shows now."""
    if row['marked'] and _scans(facts):
        return 'scan_limit'
    idle = row['unmarked'] + (0 if _recycles(facts) else row['marked'])
    return 'stranded_empty' if idle and idle >= row['active'] // FEW_OF_ACTIVE else 'soft_cap'


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

def _recycle(refusals: list[Refusal], facts: Facts) -> str:
    more = ' HAKMEM_SS_EMPTY_REUSE=1' if facts.setting('HAKMEM_SS_EMPTY_REUSE', '1') == '0' else ''
    return 'export HAKMEM_SS_EMPTY_RECYCLE=full' + more + _besides(refusals, facts)


def _scan_further(refusals: list[Refusal], facts: Facts) -> str:
    """Over as many SuperSlabs as there ever were."""
    limit = max(int(facts.setting('HAKMEM_SS_EMPTY_SCAN_LIMIT', '64')),
                len(facts.rows('superslab')))
    return f'export HAKMEM_SS_EMPTY_SCAN_LIMIT={limit}' + _besides(refusals, facts)


def _besides(refusals: list[Refusal], facts: Facts) -> str:
    """Where more slabs were wanted than lay idle, the cap is too low as well."""
    short = [each for each in refusals if facts.legacy_slabs(each.cls) > each.idle]
    caps = _raised(short, facts) if short else ''
    return f' HAKMEM_TINY_CAP={caps}' if caps and 'HAKMEM_TINY_CAP' in facts.settings else ''


def _raise_caps(refusals: list[Refusal], facts: Facts) -> str:
    text = _raised(refusals, facts)
    if facts.settings and 'HAKMEM_TINY_CAP' not in facts.settings:
        names = ', '.join(class_name(refusal.cls) for refusal in refusals)
        return f'hak_set_cap in the program, which has capped {names}, to {text}'
    return f'export HAKMEM_TINY_CAP={text}' if facts.over else _unfreeze(refusals, facts)


def _unfreeze(refusals: list[Refusal], facts: Facts) -> str:
    """Who goes on may want more than anybody has seen."""
    refused = {refusal.cls for refusal in refusals}
    rest = ','.join(f'{cls}:{cap}' for cls, cap in
                    _caps(facts.setting('HAKMEM_TINY_CAP', '')).items() if cls not in refused)
    return f'export HAKMEM_TINY_CAP={rest}' if rest else 'unset HAKMEM_TINY_CAP'


def _raised(refusals: list[Refusal], facts: Facts) -> str:
    """The caps by what legacy held at once, and an eighth for a course that differs a little.
    Legacy's slabs are everybody's: each thread that was refused will have one of its own."""
    caps = _caps(facts.setting('HAKMEM_TINY_CAP', ''))
    for refusal in refusals:
        wanted = refusal.cap + facts.legacy_slabs(refusal.cls) + max(0, facts.refused_threads - 1)
        caps[refusal.cls] = wanted + max(1, wanted // 8)
    return ','.join(f'{cls}:{cap}' for cls, cap in sorted(caps.items()))


def _caps(text: str) -> dict[int, int]:
    """'6:8,7:96' -> {6: 8, 7: 96}"""
    pairs = (part.split(':') for part in text.split(',') if ':' in part)
    return {int(cls): int(cap) for cls, cap in pairs if cls.isdigit() and cap.isdigit()}


_CHANGES = {'stranded_empty': _recycle, 'scan_limit': _scan_further, 'soft_cap': _raise_caps}
