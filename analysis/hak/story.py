"""Makes the report from the database's rows."""

import errno
from collections import Counter
from typing import Optional

from hak import dumps, findings, footprint, helpers, operations, split
from hak.db import Scope
from hak.geometry import LAYER_CLASSES, NO_CLASS, STAGES, STRIDES
from hak.model import ClassReport, Lifetime, Process, Report
from hak.oom import judge
from hak.reading import Source

# How many of each kind of failure, and of the worst slabs, a report lists.
FAILURES_SHOWN = 100
WORST_SHOWN = 5
THREADS_SHOWN = 100
LOSSES_SHOWN = 1000
FLOWS_SHOWN = 100
# The first part of the recorded time, in which a program gets its memory together.
WARM_UP = 0.25
KINDS = ('ace_fail', 'hdr_reset', 'double_free', 'invalid_free', 'oom')


def tell(source: Source, scope: Scope) -> Report:
    db, meta = source.db, source.db.meta
    stages = _Stages(db, scope)
    classes = _classes(db, scope, stages)
    counts = _FailureCounts(db, scope)
    window = (source.begin, source.end) if source.begin or source.end else None
    begin, end = source.begin or meta['first'], source.end or meta['last']
    report = Report(
        trace=str(source.trace), begin=meta['first'], end=meta['last'], window=window,
        warnings=source.warnings, processes=_processes(db, scope), events=meta['events'],
        foreign=meta['foreign'], event_counts=db.event_totals(), lost=_losses(source),
        lives=sum(item.lives for item in classes.values()),
        carried=sum(item.carried for item in classes.values()),
        acquires=sum(stages.hits(None).values()), stages=stages.hits(None),
        stage_outcomes=stages.outcomes, stage_ns=stages.mean_ns(),
        warm_stages=db.stages_after(begin + int((end - begin) * WARM_UP), scope),
        classes=classes, shared_fail=_fails(db, scope), legacy=_legacy(db, scope),
        ace_fail=counts.ace_fail, failure_counts=counts.kinds, largest_oom=counts.largest_oom,
        told_singly=_told_singly(db, scope, counts), cut_short=db.storms_cut_short(scope),
        failures={kind: [_failure(db, row) for row in db.failures(kind, scope, FAILURES_SHOWN)]
                  for kind in KINDS},
        ace_failures=_ace_failures(db, scope), dumps=dumps.told(db, scope),
        dumped=dumps.classes(db, scope), pressure=dumps.pressure(db, scope), memory=footprint.layers(db, scope),
        memory_over_time=footprint.over_time(db, scope, begin, end), split=split.told(db, scope),
        regretted=footprint.regretted(db, scope), caps=footprint.cap_changes(db, scope),
        sizes=footprint.size_changes(db, scope), class_sizes=footprint.class_sizes(db, scope),
        superslabs=_superslabs(db, scope), threads=_threads(db, scope),
        remote=_remote(classes), flows=_flows(db, scope), worst=_worst(db, scope),
        ops=operations.told(db, scope), checked=_checked(meta))
    # They are about whole recordings.
    whole = window is None and scope == Scope()
    report.findings = findings.find(report, judge.judge(source, str(source.trace)) if whole else ())
    return report


class _Stages:
    """The table of acquires: class, stage, outcome."""

    def __init__(self, db, scope: Scope):
        self._hits: dict = {}
        self._tries = {stage: [0, 0] for stage in STAGES}
        self.outcomes: dict = {stage: {} for stage in STAGES}
        for row in db.stages(scope):
            stage, outcome = db.label('stage', row['stage']), db.label('outcome', row['outcome'])
            if outcome == 'HIT':
                self._hits.setdefault(row['cls'], {})[stage] = row['count']
            of_stage = self.outcomes.setdefault(stage, {})
            of_stage[outcome] = of_stage.get(outcome, 0) + row['count']
            tries = self._tries.setdefault(stage, [0, 0])
            tries[0] += row['count']
            tries[1] += row['ns']

    def hits(self, cls: Optional[int]) -> dict:
        """Stage -> acquires it served; of all classes for None."""
        chosen = self._hits.values() if cls is None else [self._hits.get(cls, {})]
        return {stage: sum(hits.get(stage, 0) for hits in chosen) for stage in STAGES}

    def mean_ns(self) -> dict:
        return {stage: ns // tries if tries else 0 for stage, (tries, ns) in self._tries.items()}


def _processes(db, scope: Scope) -> list:
    settings: dict = {}
    for row in db.settings(scope):
        settings.setdefault(row['proc'], {})[row['key']] = row['value']
    bases = {base['proc']: base['time'] for base in dumps.bases(db, scope)}
    programs: Counter = Counter()
    small = helpers.find(db)
    found = []
    for row in db.processes(scope):
        # A pid may be given to another process, which was started at another time.
        process = (row['pid'], row['started'] or row['proc'])
        programs[process] += 1
        found.append(Process(
            pid=row['pid'], name=row['name'], command=row['command'],
            program=programs[process], ppid=row['ppid'], begin=row['began'], end=row['ended'],
            events=row['events'], version=row['version'], flavour=row['flavour'],
            parent=row['parent'], complete=bool(row['complete']), base=bases.get(row['proc']),
            settings=settings.get(row['proc'], {}), helper=row['proc'] in small))
    return found


def _losses(source: Source) -> dict:
    """unfinished: from then on streams lack their ends. doubts: why nobody can say that all is there."""
    db, meta = source.db, source.db.meta
    return {'events': meta['lost_events'], 'packets': meta['lost_packets'],
            'uncounted': bool(meta['lost_uncounted']),
            'unfinished': meta['unfinished'], 'doubts': source.doubts,
            'intervals': [{**row, 'state': bool(row['state'])}
                          for row in map(dict, db.losses()[:LOSSES_SHOWN])]}


def _classes(db, scope: Scope, stages: _Stages) -> dict:
    fails, legacy = {}, {}
    for row in db.fails(scope):
        fails[row['cls']] = fails.get(row['cls'], 0) + row['count']
    for row in db.legacy(scope):
        legacy[row['cls']] = legacy.get(row['cls'], 0) + row['count']
    lifetimes, waits = _lifetimes(db, scope), db.longest_waits(scope)
    found = {}
    for row in db.classes(scope):
        cls = row['cls']
        if cls == NO_CLASS:
            continue
        hits = stages.hits(cls)
        found[cls] = ClassReport(
            stride=STRIDES[cls], acquires=sum(hits.values()), stages=hits, live=row['active'],
            live_peak=row['peak'], peak_at=row['peak_at'], cap=row['cap'], lives=row['lives'],
            carried=row['carried'], shared_fail=fails.get(cls, 0), legacy=legacy.get(cls, 0),
            emptied=row['emptied'], listed=row['listed'], unlisted=row['unlisted'],
            refills=row['refills'], refilled=row['refilled'], drains=row['drains'],
            given_own=row['given_own'], given_remote=row['given_remote'], pushed=row['pushed'],
            collected=row['collected'], locks=row['locks'], lock_contended=row['contended'],
            lock_waited_ns=row['waited_ns'], lock_waited_max_ns=waits[cls],
            lifetime=lifetimes.get(cls))
    return found


def _lifetimes(db, scope: Scope) -> dict:
    buckets: dict = {}
    for row in db.lifetimes(scope):
        buckets.setdefault(row['cls'], []).append((row['low'], row['high'], row['count']))
    return {cls: _quantiles(rows) for cls, rows in buckets.items()}


def _quantiles(rows: list) -> Lifetime:
    total = sum(count for _, _, count in rows)

    def at(share: float) -> int:
        rank = max(1, round(share * total))
        for low, high, count in rows:
            rank -= count
            if rank <= 0:
                return (low + high) // 2
        return rows[-1][1]

    return Lifetime(total, at(0.5), at(0.9), at(0.99), at(1.0))


def _fails(db, scope: Scope) -> list:
    wanted = ('pid', 'cls', 'count', 'first', 'last', 'active', 'cap', 'listed', 'marked',
              'beyond', 'unmarked', 'told')
    return [{'reason': db.label('fail_reason', row['reason']),
             **{key: row[key] for key in wanted}} for row in db.fails(scope)]


def _legacy(db, scope: Scope) -> list:
    return [{'cls': row['cls'], 'source': db.label('legacy_source', row['source']),
             'why': db.label('legacy_why', row['why']), 'blocks': row['count'],
             'bytes': row['bytes'], 'told': row['told']} for row in db.legacy(scope)]


class _FailureCounts:
    """How often what failed."""

    def __init__(self, db, scope: Scope):
        self.kinds = dict.fromkeys(KINDS, 0)
        self.ace_fail: dict = {}
        self.told = dict.fromkeys(KINDS, 0)
        self.largest_oom = 0
        for row in db.failure_counts(scope):
            self.kinds[row['kind']] += row['count']
            self.told[row['kind']] += row['told']
            if row['kind'] == 'ace_fail':
                self.ace_fail[db.label('ace_reason', row['why'])] = row['count']
            elif row['kind'] == 'oom':
                self.largest_oom = row['largest']


def _told_singly(db, scope: Scope, counts: _FailureCounts) -> dict:
    told = {'shared_fail': [0, 0], 'legacy': [0, 0]}
    for kind, rows in (('shared_fail', db.fails(scope)), ('legacy', db.legacy(scope))):
        for row in rows:
            told[kind][0] += row['told']
            told[kind][1] += row['count']
    return {**told, **{kind: [counts.told[kind], counts.kinds[kind]]
                       for kind in ('ace_fail', 'oom')}}


def _failure(db, row) -> dict:
    kind = row['kind']
    said = {'time': row['time'], 'pid': row['pid'], 'tid': row['tid'], 'cls': row['cls'],
            'address': _hex(row['address']), 'times': row['times']}
    if kind == 'ace_fail':
        said.update(size=row['size'], layer=db.label('ace_layer', row['layer']),
                    reason=db.label('ace_reason', row['reason']), class_size=row['class_size'],
                    used=row['used'], limit=row['used_limit'], errno=_errno(row['err']))
    elif kind == 'hdr_reset':
        said.update(got=_hex(row['got']), expect=_hex(row['expect']), word=_hex(row['word']),
                    count=row['count'], where=db.label('word_where', row['place']))
    elif kind == 'oom':
        said.update(size=row['size'], errno=_errno(row['err']))
    else:
        said.update(ss=_hex(row['ss']), slab=row['slab'], gen=row['gen'])
        if not row['ss']:   # in nothing of ours
            said.update(ss=None, slab=None, cls=None)
        elif row['cls'] in LAYER_CLASSES:
            said.update(cls=None, layer=LAYER_CLASSES[row['cls']])
        if kind == 'invalid_free':
            said['why'] = db.label('invalid_why', row['reason'])
    return said


def _ace_failures(db, scope: Scope) -> list:
    wanted = ('pid', 'count', 'smallest', 'largest', 'class_size', 'used', 'first', 'last')
    return [{'layer': db.label('ace_layer', row['layer']),
             'reason': db.label('ace_reason', row['reason']), 'errno': _errno(row['err']),
             'passed_on': bool(row['passed_on']), 'limit': row['used_limit'], **{key: row[key] for key in wanted}}
            for row in db.ace_failures(scope)]


def _superslabs(db, scope: Scope) -> list:
    return [{'bytes': 1 << row['lg'], 'kind': db.label('ss_kind', row['kind']),
             'count': row['count'], 'unmapped': row['unmapped'], 'slabs': row['slabs'],
             'mean_ns': row['ns'] // row['count']} for row in db.superslabs(scope)]


def _threads(db, scope: Scope) -> list:
    return [{key: row[key] for key in row.keys() if key != 'proc'}
            for row in db.threads(scope)[:THREADS_SHOWN]]


def _remote(classes: dict) -> dict:
    def total(what: str) -> Optional[int]:
        """None: it was not recorded."""
        counts = [getattr(item, what) for item in classes.values()]
        return None if None in counts else sum(counts)

    pushed, collected = total('pushed'), total('collected')

    return {'given_own': total('given_own'), 'given_remote': total('given_remote'),
            'pushed': pushed, 'collected': collected,
            'waiting': None if None in (pushed, collected) else max(0, pushed - collected)}


def _flows(db, scope: Scope) -> list:
    return [{'pid': row['pid'], 'tid': row['tid'], 'of': row['of_tid'], 'pushes': row['pushes'],
             'blocks': row['pushed']} for row in db.flows(scope)[:FLOWS_SHOWN]]


def _worst(db, scope: Scope) -> dict:
    def slab(row, *keys: str) -> dict:
        return {'proc': row['proc'], 'ss': _hex(row['ss']), 'mapping': row['mapping'],
                'slab': row['slab'], 'cls': row['cls'], **{key: row[key] for key in keys}}

    return {
        'longest': [slab(row, 'gen', 'begin', 'length')
                    for row in db.longest(scope, WORST_SHOWN)],
        'recycled': [slab(row, 'lives', 'gen', 'classes')
                     for row in db.most_recycled(scope, WORST_SHOWN)],
        'remote': [slab(row, 'gen', 'pushes', 'pushed', 'drained')
                   for row in db.most_remote(scope, WORST_SHOWN)],
    }


def _checked(meta: dict) -> dict:
    return {'transitions': meta['checked_transitions'], 'flows': meta['checked_flows'],
            'acquires': meta['checked_acquires'], 'violations': meta['violations'],
            'explained': meta['explained']}


def _hex(value: Optional[int]) -> Optional[str]:
    return None if value is None else f'0x{value & (1 << 64) - 1:x}'


def _errno(value: Optional[int]) -> str:
    return errno.errorcode.get(value, str(value)) if value else ''
