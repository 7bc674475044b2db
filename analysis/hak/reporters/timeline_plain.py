"""`hak timeline` in a pipe: a life a line."""

from dataclasses import asdict
from typing import TextIO

from hak.reporters import plain

UNKNOWN = 'refills refilled pushes pushed drains drained used_max used_last'


def write(source, lives, frame, out: TextIO) -> None:
    first = source.first
    plain.line(out, 'lives', count=frame.begun, carried=frame.carried)
    if not frame.batches:
        plain.line(out, 'not_recorded', tier='flow', what=UNKNOWN)
    for base in frame.bases:
        plain.line(out, 'middle', pid=base['pid'], base=_seconds(base['time'], first))
    for row in frame.pressure:
        plain.line(out, 'pressure', **{**row, 'time': _seconds(row['time'], first)})
    for life in lives:
        facts = asdict(life)
        spells = facts.pop('spells')
        for key in ('begin', 'end', 'purged', 'unmapped', 'dumped'):
            facts[key] = _seconds(facts[key], first)
        plain.line(out, 'life', **facts, carried=True if life.begin is None else None)
        for spell in spells if len(spells) > 1 else ():
            plain.line(out, 'spell', ss=life.ss, mapping=life.mapping, slab=life.slab, gen=life.gen,
                       owner=spell['owner'], tid=spell['tid'],
                       begin=_seconds(spell['begin'], first), end=_seconds(spell['end'], first))


def _seconds(ns, first: int):
    return None if ns is None else (ns - first) / 1e9
