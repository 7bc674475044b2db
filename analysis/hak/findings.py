"""What a recording suggests to change: sentences, worst first."""

from dataclasses import dataclass
from typing import Optional

from hak import ui
from hak.geometry import class_name, class_text

# Of all acquires after warm-up, stage 3 should not serve more.
STAGE_3_LIMIT = 0.05
# Fewer acquires than this say nothing about the mix of stages.
STAGE_3_LEAST = 100


@dataclass(frozen=True)
class Finding:
    """severity: 3 something is broken, 2 memory or time is wasted, 1 worth knowing."""
    name: str
    severity: int
    text: str
    remedy: str = ''
    cls: Optional[int] = None
    weight: int = 0      # among equals, more is worse

    def sentence(self) -> str:
        return f'{self.text}: {self.remedy}' if self.remedy else self.text


def find(report) -> list[Finding]:
    found = [*_violations(report), *_corruption(report), *_failures(report), *_refusals(report),
             *_stage_3(report), *_losses(report)]
    return sorted(found, key=lambda finding: (-finding.severity, -finding.weight))


def _violations(report):
    count = report.checked['violations']
    if count:
        yield Finding('violations', 3, f'{ui.counted(count, "transition")} broke the state machine',
                      'see `hak verify`', weight=count)


def _corruption(report):
    words = {
        'hdr_reset': ('the program wrote to freed blocks {}', 'run it under memcheck'),
        'double_free': ('the program freed blocks again {}', 'run it under memcheck'),
        'invalid_free': ('the program freed pointers that are no blocks {}',
                         'run it under memcheck'),
    }
    for kind, (text, remedy) in words.items():
        rows = report.failures[kind]
        count = report.failure_counts[kind]
        if count:
            first = rows[0]
            what = f'{_times(count)}, first at {first["address"]} by thread {first["tid"]}'
            yield Finding(kind, 3, text.format(what), remedy, weight=count)


def _failures(report):
    maps = [row for row in report.failures['ace_fail'] if row['reason'] == 'MAP_FAIL_OS']
    count = report.ace_fail.get('MAP_FAIL_OS', 0)
    if count:
        errors = ', '.join(sorted({row['errno'] for row in maps if row['errno']}))
        yield Finding('map_fail', 3, f'the system refused memory {_times(count)} ({errors})',
                      'look at ulimit -v, the cgroup\'s memory.max, vm.max_map_count and '
                      'overcommit', weight=count)
    count = report.failure_counts['oom']
    if count:
        yield Finding('oom', 3, f'the program got NULL {_times(count)}, for up to '
                      f'{ui.size(report.largest_oom)}', 'find out which limit it met', weight=count)


def _by_class_and_reason(rows: list) -> list:
    """One row for what several processes met, with the numbers of the one that met it most."""
    found: dict = {}
    for row in rows:
        key = row['cls'], row['reason']
        first = found.setdefault(key, {**row, 'count': 0})
        first['count'] += row['count']
    return list(found.values())


def _refusals(report):
    for fail in _by_class_and_reason(report.shared_fail):
        cls, count = fail['cls'], fail['count']
        what = (f'class {class_text(cls)}: {ui.counted(count, "request")} fell to legacy because ')
        if fail['reason'] == 'FAIL_SOFT_CAP':
            yield _soft_cap(fail, what)
        elif fail['reason'] == 'FAIL_SCAN_LIMIT':
            yield Finding(
                'scan_limit', 2, what + f'stage 0.5 looks at too few SuperSlabs: '
                f'{fail["beyond"]} EMPTY slabs lay beyond its scan limit',
                'raise HAKMEM_SS_EMPTY_SCAN_LIMIT or set HAKMEM_SS_EMPTY_RECYCLE=full', cls, count)
        else:
            yield Finding('map_fail_refused', 3, what + 'the system refused memory for another '
                          'SuperSlab', 'see the limit that ace_fail names', cls, count)


def _soft_cap(fail, what: str) -> Finding:
    cls, cap = fail['cls'], fail['cap']
    reached = what + f'the soft cap of {cap} was reached while '
    if fail['unmarked']:
        return Finding('soft_cap_stranded', 2, reached + f'{_slabs(fail["unmarked"])} with nothing '
                       'live were forgotten (unmarked)', 'set HAKMEM_SS_EMPTY_RECYCLE=full', cls,
                       fail['count'])
    if fail['marked'] or fail['listed']:
        empty = fail['marked'] + fail['listed']
        return Finding('soft_cap_unlisted', 2, reached + f'{_slabs(empty)} with nothing live were '
                       'out of reach', 'set HAKMEM_SS_EMPTY_RECYCLE=full and '
                       'HAKMEM_SS_EMPTY_REUSE=1', cls, fail['count'])
    return Finding('soft_cap_low', 2, what + f'the soft cap of {cap} is below its demand: no slab '
                   'was EMPTY', f'raise {class_name(cls)} in HAKMEM_TINY_CAP, or leave it out', cls,
                   fail['count'])


def _stage_3(report):
    warm = report.warm_stages
    total = sum(warm.values())
    share = warm.get('STAGE_3', 0) / total if total else 0
    if total >= STAGE_3_LEAST and share > STAGE_3_LIMIT:
        yield Finding('stage_3', 2, f'stage 3 mapped a SuperSlab for {share:.1%} of '
                      f'{ui.number(total)} acquires after warm-up, more than {STAGE_3_LIMIT:.0%}',
                      'set HAKMEM_SS_LG=21', weight=warm['STAGE_3'])


def _losses(report):
    lost = report.lost
    if lost['events'] or lost['packets'] or lost['uncounted']:
        parts = [ui.counted(lost[what], what[:-1]) for what in ('events', 'packets') if lost[what]]
        what = ' and '.join(parts) or 'an unknown number of events'
        yield Finding('losses', 1, f'{what} were lost: the numbers here are too small by as much',
                      'record with larger buffers (hak record --buffer-size, --subbufs) or a '
                      'smaller --tier', weight=lost['events'])


def _slabs(count: int) -> str:
    return ui.counted(count, 'slab')


def _times(count: int) -> str:
    return 'once' if count == 1 else 'twice' if count == 2 else f'{count:,} times'
