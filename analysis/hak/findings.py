"""What a recording suggests to change: sentences, worst first."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional

from hak import ui
from hak.geometry import Names, class_name, class_text
from hak.oom.verdict import CAUSES, ProcessVerdict

# Of all acquires after warm-up, stage 3 should not serve more.
STAGE_3_LIMIT = 0.05
# Fewer acquires than this say nothing about the mix of stages.
STAGE_3_LEAST = 100
# Of the SuperSlabs mapped, and the slabs purged, more should not be needed again at once; fewer
# than so many say nothing.
REGRET_LIMIT = 0.25
REGRET_LEAST = 20
# A cap or size that turns round so often has not been learned.
TURNS = 6
LAYERS = Names(TINY='the SuperSlabs', MID='the mid pool', LARGE='the large pool',
               HUGE='direct mapping', SYSTEM="the system's malloc")
NEXT = {'MID': 'LARGE', 'LARGE': 'HUGE'}   # who is asked after a refusal
PRESSED = {'PRESSURE_CGROUP': ("the cgroup's memory.max",
                               'raise it, or find out what grows with `hak oom`'),
           'PRESSURE_AS': ('the limit of address space',
                           'raise ulimit -v, or find out what grows with `hak oom`')}
# Causes that only the state of the memory shows; so sure they must be.
MEMORY = ('leak', 'fragmentation', 'remote_backlog', 'thread_cache_bloat', 'class_waste', 'not_us')
SURE = 0.5
LIMITS = {'MID': 'raise HAKMEM_ACE_MID_CAP', 'LARGE': 'raise HAKMEM_ACE_LARGE_CAP'}


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


def find(report, verdicts: Iterable[ProcessVerdict] = ()) -> list[Finding]:
    """verdicts: `hak oom`'s, of all that is reported."""
    found = [*_violations(report), *_corruption(report), *_failures(report), *_layers(report), *_pressure(report),
             *_refusals(report), *_stage_3(report), *_regrets(report), *_learning(report),
             *_losses(report), *_dumps(report), *_memory(verdicts)]
    return sorted(found, key=lambda finding: (-finding.severity, -finding.weight))


def _memory(verdicts: Iterable[ProcessVerdict]):
    for process in verdicts:
        for one in process.verdicts:
            if one.cause in MEMORY and one.confidence >= SURE:
                seen = one.evidence[0]
                yield Finding(one.cause, 2, f'{CAUSES[one.cause]} in {process.name} ({process.pid}): '
                              f'{seen.text}', one.change, cls=seen.numbers.get('cls'),
                              weight=int(100 * one.weight))


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
    maps = [row for row in report.ace_failures if row['reason'] == 'MAP_FAIL_OS']
    if maps:
        count = sum(row['count'] for row in maps)
        errors = ', '.join(sorted({row['errno'] for row in maps if row['errno']}))
        whom = ' and '.join(', '.join(dict.fromkeys(LAYERS[row['layer']] for row in maps))
                            .rsplit(', ', 1))
        yield Finding('map_fail', 3, f'the system refused memory {_times(count)} to {whom} '
                      f'({errors}), for {_sizes(maps)}',
                      '`hak oom` says which limit it was', weight=count)
    count = report.failure_counts['oom']
    if count:
        yield Finding('oom', 3, f'the program got NULL {_times(count)}, for up to '
                      f'{ui.size(report.largest_oom)}', '`hak oom` says why', weight=count)


def _pressure(report):
    for what, (limit, remedy) in PRESSED.items():
        rows = [row for row in report.pressure if row['what'] == what]
        if rows:
            most = max(rows, key=lambda row: (row['percent'], row['used']))
            yield Finding('pressure', 3 if most['percent'] >= 99 else 2,
                          f'{ui.size(most["used"])} of {limit}, {ui.size(most["limit"])}, were used: '
                          f'{most["percent"]} % or more, process {most["pid"]}', remedy,
                          weight=most['percent'])


def _sizes(rows: list) -> str:
    """'9,000 to 12,000 B'"""
    low, high = min(row['smallest'] for row in rows), max(row['largest'] for row in rows)
    return f'{low:,} B' if low == high else f'{low:,} to {high:,} B'


def _layers(report):
    """What ACE's layers refused by their own rules, and what nobody could serve."""
    for layer in LAYERS:
        mine = [row for row in report.ace_failures
                if row['layer'] == layer and not row['passed_on']]
        full = [row for row in mine if row['reason'] == 'EXHAUSTION']
        if full:
            most = max(full, key=lambda row: row['used'])
            yield _layer('ace_exhaustion', report, full, 'it was full: '
                         f'{ui.size(most["used"])} of {ui.size(most["limit"])}',
                         LIMITS.get(layer, ''))
        unfit = [row for row in mine if row['reason'] == 'THRESHOLD']
        if unfit:
            yield _layer('ace_threshold', report, unfit, 'its size classes would waste more than '
                         'HAKMEM_ACE_WMAX allows', 'raise HAKMEM_ACE_WMAX')
    large = sum(row['blocks'] for row in report.legacy if row['why'] == 'WHY_LARGE')
    if large and any(row['layer'] != 'TINY' for row in report.ace_failures):
        yield Finding('ace_gave_up', 2, f'{ui.counted(large, "request")} that no layer took went '
                      "to the system's malloc", 'the refusals of the layers say why', weight=large)


def _layer(name: str, report, rows: list, because: str, remedy: str) -> Finding:
    layer, count = rows[0]['layer'], sum(row['count'] for row in rows)
    after = NEXT.get(layer)
    too = sum(row['count'] for row in report.ace_failures
              if row['layer'] == after and row['passed_on'])
    then = f' ({LAYERS[after]} refused {too:,} of its sizes too)' if too else ''
    return Finding(name, 2, f'{LAYERS[layer]} refused {ui.counted(count, "request")} of '
                   f'{_sizes(rows)} because {because}{then}', remedy, weight=count)


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


def _regrets(report):
    maps = sum(row['maps'] for row in report.memory if row['layer'] == 'TINY')
    count = report.regretted['unmapped']
    if count >= REGRET_LEAST and count > REGRET_LIMIT * maps:
        yield Finding('superslab_churn', 2, f'{ui.counted(count, "SuperSlab")} of {maps:,} were '
                      'unmapped within a second of being mapped', 'set HAKMEM_SS_LG=21',
                      weight=count)
    purged = report.regretted['slabs_purged']
    count = report.regretted['purged']
    if count >= REGRET_LEAST and count > REGRET_LIMIT * purged:
        yield Finding('purge_churn', 2, f'{ui.counted(count, "slab")} of {purged:,} that were '
                      'purged were needed again within a second: their pages had to be faulted in '
                      'again', 'raise HAKMEM_TICK', weight=count)


def _turns(rows: list) -> int:
    """How often what grew began to shrink, or the reverse."""
    grows = [row['to'] > row['from'] for row in rows]
    return sum(one != two for one, two in zip(grows, grows[1:]))


def _learning(report):
    for what, rows, knob in (('soft cap', report.caps, 'HAKMEM_TINY_CAP={cls}:{most}'),
                             ('SuperSlab size', report.sizes, 'HAKMEM_SS_LG=21')):
        for pid, cls in dict.fromkeys((row['pid'], row['cls']) for row in rows):
            mine = [row for row in rows if (row['pid'], row['cls']) == (pid, cls)]
            turns, most = _turns(mine), max(row['to'] for row in mine)
            if turns >= TURNS:
                yield Finding('unsteady', 1, f'the {what} of class {class_text(cls)} turned round '
                              f'{_times(turns)} in process {pid}',
                              'freeze it with ' + knob.format(cls=cls, most=most), cls, turns)
    refused = [row for row in report.sizes if row['why'] == 'SIZE_MAP_FAIL']
    if refused:
        names = ', '.join(dict.fromkeys(class_name(row['cls']) for row in refused))
        yield Finding('size_refused', 1, f'the system refused SuperSlabs of '
                      f'{ui.size(max(row["from"] for row in refused))}: {names} went on with '
                      'smaller ones', 'see the limits of the machine with `hak doctor`',
                      weight=len(refused))


def _losses(report):
    lost = report.lost
    if not report.lost_words:
        return
    gone = any(row['kind'] == 'missing' for row in lost['intervals'])
    remedy = ('' if gone or report.lost_words.startswith('an unknown') else
              'record with larger buffers (hak record --buffer-size, --subbufs) or a smaller --tier')
    yield Finding('losses', 1, f'{report.lost_words} {"are missing" if gone else "were lost"}: the '
                  'numbers here are too small by as much', remedy, weight=lost['events'])


def _dumps(report):
    incomplete = [row for row in report.dumps if not row['complete']]
    if incomplete:
        yield Finding('dump_incomplete', 1, f'{ui.counted(len(incomplete), "state dump")} of '
                      f'{len(report.dumps):,} lack events or their end: they are no base',
                      'record with larger buffers (hak record --buffer-size, --subbufs)',
                      weight=len(incomplete))


def _slabs(count: int) -> str:
    return ui.counted(count, 'slab')


def _times(count: int) -> str:
    return 'once' if count == 1 else 'twice' if count == 2 else f'{count:,} times'
