"""What changed between two recordings: their reports held against each other, biggest first."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Optional

from hak import quantities, ui
from hak.model import Report
from hak.quantities import Quantity

# Changes below this share of the larger number are left out unless all are asked for.
LEAST = 0.10


def _count(value: float) -> str:
    return f'{value:,.2g}' if 0 < value < 10 and value != int(value) else f'{value:,.0f}'


UNITS = {'count': _count, 'bytes': ui.size, 'ns': ui.duration, 'share': '{:.1%}'.format}


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
    mapped: list             # bytes of its largest process, in equal parts of the time


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
    numbers = [quantities.of(report) for report in (a, b)]
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
                mapped=quantities.mapped(report))


def _length(report: Report) -> int:
    begin, end = report.window or (None, None)
    return max(1, (end or report.end) - (begin or report.begin))


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
    known = [mine[key] for mine in numbers if key in mine]
    return len(known) == 2 or known[0].absent_is_0


def _change(key: tuple, a: Optional[Quantity], b: Optional[Quantity]) -> Change:
    """Ranked by doublings, so that a count from 1 to 4 and bytes from 1 to 4 GiB are alike; the
    floor keeps small numbers from looking large."""
    known = a or b
    low, high = (0 if one is None else one.value for one in (a, b))
    floor = max(one.floor for one in (a, b) if one)
    doublings = math.log2((high + floor) / (low + floor))
    small = abs(high - low) <= max(LEAST * max(low, high), floor if known.noisy else 0)
    better = known.worse * (high - low)
    return Change(topic=key[0], name=key[1], unit=known.unit, a=low, b=high,
                  judgement='worse' if better > 0 else 'better' if better < 0 else '',
                  rank=0.0 if small else known.weight * abs(doublings))


def _rates(numbers: dict, report: Report) -> dict:
    seconds = _length(report) / 1e9
    return {key: replace(one, value=one.value / seconds, floor=one.floor / seconds) if one.grows
            else one for key, one in numbers.items()}
