"""What changed between two recordings: their reports held against each other, biggest first."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Optional

from hak import ui
from hak.geometry import STAGE_NAMES, class_text
from hak.model import Report

# Changes below this share of the larger number are left out unless all are asked for.
LEAST = 0.10
# What is shown of the worst change goes first whatever its size: failures before fallbacks,
# these before the mix of stages and sizes.
FAILURE, FALLBACK, MEMORY, MIX = 8.0, 4.0, 2.0, 1.0
MIB = 1 << 20


def _count(value: float) -> str:
    return f'{value:,.2g}' if 0 < value < 10 and value != int(value) else f'{value:,.0f}'


UNITS = {'count': _count, 'bytes': ui.size, 'ns': ui.duration, 'share': '{:.1%}'.format}


@dataclass(frozen=True)
class Quantity:
    """A number that both recordings have. floor: what two runs of the same differ by anyway."""
    value: float
    unit: str = 'count'
    worse: int = 0           # 1: more of it is worse, -1: less, 0: neither
    weight: float = MIX
    floor: float = 1
    grows: bool = False      # with the length of the recording
    absent_is_0: bool = True # else a recording without it says nothing of it


@dataclass(frozen=True)
class Change:
    topic: str
    name: str
    unit: str
    a: float
    b: float
    judgement: str           # 'worse', 'better' or ''
    rank: float

    @property
    def small(self) -> bool:
        return not self.rank

    def words(self) -> str:
        """'rose from 3 to 12, 4 times as much'"""
        low, high = (UNITS[self.unit](value) for value in (self.a, self.b))
        if self.a == self.b:
            return f'stayed at {low}'
        verb = 'rose' if self.b > self.a else 'fell'
        if self.unit == 'share' or not self.a or not self.b:
            return f'{verb} from {low} to {high}'
        factor = self.b / self.a
        how = (f'by {abs(factor - 1):.2%}' if factor < 0.01 else f'by {abs(factor - 1):.0%}'
               if factor < 2 else f'{factor:,.2g} times as much' if factor < 100
               else f'{factor:,.0f} times as much')
        return f'{verb} from {low} to {high}, {how}'


@dataclass(frozen=True)
class Side:
    """One of the two recordings."""
    trace: str
    begin: int
    duration_ns: int
    events: int
    lost: int                # events and packets
    programs: list
    warnings: list
    stages: dict
    mapped: list             # bytes, in equal parts of the time


@dataclass(frozen=True)
class Comparison:
    a: Side
    b: Side
    per_second: bool
    settings: list           # knob, its values in A, in B
    gone: list               # findings of A only
    new: list                # of B only
    stay: list               # of both: (in A, in B)
    changes: list            # biggest first

    def shown(self, everything: bool) -> list:
        return [change for change in self.changes if everything or not change.small]

    def as_json(self) -> dict:
        value = asdict(replace(self, gone=[], new=[], stay=[]))
        value['findings'] = {
            'gone': [_finding(one) for one in self.gone],
            'new': [_finding(one) for one in self.new],
            'stay': [{'a': _finding(one), 'b': _finding(two)} for one, two in self.stay]}
        for key in ('gone', 'new', 'stay'):
            del value[key]
        value['changes'] = [{**asdict(change), 'small': change.small, 'words': change.words()}
                            for change in self.changes]
        return value


def _finding(finding) -> dict:
    return {'name': finding.name, 'severity': finding.severity, 'cls': finding.cls,
            'text': finding.sentence()}


def compare(a: Report, b: Report, per_second: bool) -> Comparison:
    numbers = [_quantities(report) for report in (a, b)]
    if per_second:
        numbers = [_rates(mine, report) for mine, report in zip(numbers, (a, b))]
    gone, new, stay = _findings(a, b)
    changes = [_change(key, numbers[0].get(key), numbers[1].get(key))
               for key in dict.fromkeys([*numbers[0], *numbers[1]]) if _comparable(key, numbers)]
    return Comparison(
        a=_side(a), b=_side(b), per_second=per_second, settings=_settings(a, b), gone=gone,
        new=new, stay=stay, changes=sorted(changes, key=lambda change: -change.rank))


def _side(report: Report) -> Side:
    lost = report.lost
    return Side(trace=report.trace, begin=report.begin, duration_ns=_length(report),
                events=report.events, lost=lost['events'] + lost['packets'],
                programs=sorted({process.name or '?' for process in report.processes}),
                warnings=report.warnings, stages=report.stages,
                mapped=_mapped(report.memory_over_time))


def _length(report: Report) -> int:
    begin, end = report.window or (None, None)
    return max(1, (end or report.end) - (begin or report.begin))


def _mapped(series: list) -> list:
    """All processes and layers; the parts of all processes begin and end together."""
    layers = ('tiny', 'mid', 'large', 'huge')
    return [sum(part[layer] for part in parts for layer in layers)
            for parts in zip(*(one['parts'] for one in series))]


def _settings(a: Report, b: Report) -> list:
    sides = [_values(report) for report in (a, b)]
    return [{'knob': knob, 'a': sides[0].get(knob, []), 'b': sides[1].get(knob, [])}
            for knob in sorted({*sides[0], *sides[1]})
            if sides[0].get(knob) != sides[1].get(knob)]


def _values(report: Report) -> dict:
    """Knob -> its values in all processes."""
    found: dict = {}
    for process in report.processes:
        for knob, value in process.settings.items():
            found.setdefault(knob, set()).add(value)
    return {knob: sorted(values) for knob, values in found.items()}


def _findings(a: Report, b: Report) -> tuple:
    """Those of A only, of B only, of both. Several of a name and class count as one."""
    of_a, of_b = ({(one.name, one.cls): one for one in reversed(report.findings)}
                  for report in (a, b))
    return ([one for key, one in reversed(of_a.items()) if key not in of_b],
            [one for key, one in reversed(of_b.items()) if key not in of_a],
            [(one, of_b[key]) for key, one in reversed(of_a.items()) if key in of_b])


def _comparable(key: tuple, numbers: list) -> bool:
    return all(key in mine or next(iter(other[key] for other in numbers if key in other)).absent_is_0
               for mine in numbers)


def _change(key: tuple, a: Optional[Quantity], b: Optional[Quantity]) -> Change:
    """Ranked by doublings, so that a count from 1 to 4 and bytes from 1 to 4 GiB are alike; the
    floor keeps small numbers from looking large."""
    known = a or b
    low, high = (0 if one is None else one.value for one in (a, b))
    floor = max(one.floor for one in (a, b) if one)
    doublings = math.log2((high + floor) / (low + floor))
    small = abs(high - low) <= max(LEAST * max(low, high), floor if known.weight < FALLBACK else 0)
    better = known.worse * (high - low)
    return Change(topic=key[0], name=key[1], unit=known.unit, a=low, b=high,
                  judgement='worse' if better > 0 else 'better' if better < 0 else '',
                  rank=0.0 if small else known.weight * abs(doublings))


def _rates(numbers: dict, report: Report) -> dict:
    seconds = _length(report) / 1e9
    return {key: replace(one, value=one.value / seconds, floor=one.floor / seconds) if one.grows
            else one for key, one in numbers.items()}


def _quantities(report: Report) -> dict:
    return {**_failures(report), **_fallbacks(report), **_memory(report), **_stages(report),
            **_classes(report)}


def _failures(report: Report) -> dict:
    names = {'hdr_reset': 'writes to freed blocks', 'double_free': 'double frees',
             'invalid_free': 'frees of what is no block', 'oom': 'requests that got NULL'}
    found = {('failures', name): Quantity(report.failure_counts[kind], worse=1, weight=FAILURE,
                                          grows=True) for kind, name in names.items()}
    for row in report.ace_failures:
        key = 'ACE', f'{row["layer"].lower()} refusals, {row["reason"].lower()}'
        before = found[key].value if key in found else 0
        found[key] = Quantity(before + row['count'], worse=1, weight=FALLBACK, grows=True)
    return found


def _fallbacks(report: Report) -> dict:
    found = {}
    for cls, item in report.classes.items():
        for name, value in (('requests refused by every stage', item.shared_fail),
                            ('blocks from the legacy backend', item.legacy)):
            found[class_text(cls), name] = Quantity(value, worse=1, weight=FALLBACK, grows=True)
    large = sum(row['blocks'] for row in report.legacy if row['cls'] not in report.classes)
    found['no class', 'blocks from the legacy backend'] = Quantity(large, worse=1,
                                                                   weight=FALLBACK, grows=True)
    return found


def _memory(report: Report) -> dict:
    found = {('memory', 'most mapped at once'):
             Quantity(max(_mapped(report.memory_over_time), default=0), 'bytes', worse=1,
                      weight=MEMORY, floor=MIB)}
    for layer in dict.fromkeys(row['layer'] for row in report.memory):
        rows = [row for row in report.memory if row['layer'] == layer]
        name = 'SuperSlabs' if layer == 'TINY' else f'{layer.lower()} layer'
        found[name, 'peak'] = Quantity(sum(row['peak'] for row in rows), 'bytes', worse=1,
                                       weight=MEMORY, floor=MIB)
        for what, text in (('maps', 'mappings'), ('unmaps', 'unmappings'), ('purges', 'purges')):
            found[name, text] = Quantity(sum(row[what] for row in rows), floor=4, grows=True)
    for what, text in (('unmapped', 'SuperSlabs unmapped within a second'),
                       ('purged', 'slabs needed within a second of their purge')):
        found['memory', text] = Quantity(report.regretted[what], worse=1, floor=4, grows=True)
    return found


def _stages(report: Report) -> dict:
    found = {('slabs', 'acquires'): Quantity(report.acquires, floor=8, grows=True),
             ('slabs', 'lives'): Quantity(report.lives, floor=8, grows=True),
             ('slabs', 'changes of a soft cap'): Quantity(len(report.caps), floor=4, grows=True),
             ('threads', 'threads'): Quantity(len(report.threads), floor=1),
             ('threads', 'blocks freed by another thread than their owner'):
             Quantity(report.remote['pushed'], floor=64, grows=True)}
    for stage, count in report.stages.items():
        share = count / report.acquires if report.acquires else 0.0
        found['stages', f'share of stage {STAGE_NAMES[stage]}'] = Quantity(
            share, 'share', worse=_worse(stage), weight=MEMORY, floor=0.02)
    return found


def _worse(stage: str) -> int:
    """Stage 1 is what should serve, stage 3 what should not have to."""
    return {'STAGE_1': -1, 'STAGE_3': 1}.get(stage, 0)


def _classes(report: Report) -> dict:
    found = {}
    for cls, item in report.classes.items():
        name = class_text(cls)
        found[name, 'slabs ACTIVE at most'] = Quantity(item.live_peak, worse=1, floor=2)
        found[name, 'soft cap'] = Quantity(item.cap, floor=2, absent_is_0=False)
        found[name, 'acquires'] = Quantity(item.acquires, floor=4, grows=True)
        found[name, 'waiting for the pool\'s lock'] = Quantity(
            item.lock_waited_ns, 'ns', worse=1, floor=1e6, grows=True)
        if item.lifetime:
            found[name, 'half of its slabs lived less than'] = Quantity(item.lifetime.p50, 'ns',
                                                                        floor=1e6,
                                                                        absent_is_0=False)
    return found
