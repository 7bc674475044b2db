"""`hak diff` in a pipe."""

from functools import partial
from typing import TextIO

from hak.comparison import Comparison
from hak.reporters import plain


def write(found: Comparison, everything: bool, out: TextIO) -> None:
    line = partial(plain.line, out)
    for name, side in (('a', found.a), ('b', found.b)):
        line(name, trace=side.trace, seconds=side.duration_ns / 1e9, events=side.events,
             lost=side.lost, programs=','.join(side.programs))
        for text in side.warnings:
            line('warning', of=name, text=text)
    for row in found.settings:
        line('setting', knob=row['knob'], a=','.join(row['a']), b=','.join(row['b']))
    for what, findings in (('gone', found.gone), ('new', found.new)):
        for finding in findings:
            line(what, name=finding.name, severity=finding.severity, text=finding.sentence())
    for one, two in found.stay:
        line('stays', name=one.name, severity=two.severity, a=one.sentence(), b=two.sentence())
    for change in found.shown(everything):
        line('change', of=change.topic, what=change.name, a=change.a, b=change.b,
             unit=change.unit, judgement=change.judgement or None, words=change.words())
