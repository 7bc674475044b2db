"""The numbers of a report that can be held against those of another, each with what it means."""

from dataclasses import dataclass

from hak.geometry import STAGE_NAMES, class_text
from hak.model import Report

# What a doubling weighs: failures come before fallbacks, these before memory, and that before
# the mix of stages and sizes.
FAILURE, FALLBACK, MEMORY, MIX = 8.0, 4.0, 2.0, 1.0
MIB = 1 << 20


@dataclass(frozen=True)
class Quantity:
    """A number that both recordings have. floor: what two runs of the same differ by anyway."""
    value: float
    unit: str = 'count'
    worse: int = 0           # 1: more of it is worse, -1: less, 0: neither
    weight: float = MIX
    floor: float = 1
    grows: bool = False          # with the length of the recording
    absent_is_0: bool = True     # else a recording without it says nothing of it

    @property
    def noisy(self) -> bool:
        """Does it differ a little between any two runs? Failures and fallbacks should be none."""
        return self.weight < FALLBACK


def of(report: Report) -> dict:
    """(topic, name) -> Quantity"""
    return {**_failures(report), **_fallbacks(report), **_memory(report), **_stages(report),
            **_classes(report)}


def mapped(report: Report) -> list:
    """Bytes over time, of the process that had most at once. Those of several are not added up:
    when one has ended is not in a recording."""
    layers = ('tiny', 'mid', 'large', 'huge')
    series = [[sum(part[layer] for layer in layers) for part in one['parts']]
              for one in report.memory_over_time]
    return max(series, key=max, default=[])


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
    found = {('memory', 'most mapped by one process'):
             Quantity(max(mapped(report), default=0), 'bytes', worse=1, weight=MEMORY, floor=MIB)}
    for layer in dict.fromkeys(row['layer'] for row in report.memory):
        rows = [row for row in report.memory if row['layer'] == layer]
        name = 'SuperSlabs' if layer == 'TINY' else f'{layer.lower()} layer'
        found[name, 'peak'] = Quantity(max(row['peak'] for row in rows), 'bytes', worse=1,
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
             ('threads', 'threads that began'):
             Quantity(report.event_counts.get('thread_start', 0), grows=True)}
    if report.remote['pushed'] is not None:
        found['threads', 'blocks freed by another thread than their owner'] = Quantity(
            report.remote['pushed'], floor=64, grows=True, absent_is_0=False)
    for stage, count in report.stages.items() if report.acquires else ():
        found['stages', f'share of stage {STAGE_NAMES[stage]}'] = Quantity(
            count / report.acquires, 'share', worse=_worse(stage), weight=MEMORY, floor=0.02,
            absent_is_0=False)
    return found


def _worse(stage: str) -> int:
    """Stage 1 is what should serve, stage 3 what should not have to."""
    return {'STAGE_1': -1, 'STAGE_3': 1}.get(stage, 0)


def _classes(report: Report) -> dict:
    found = {}
    for cls, item in report.classes.items():
        name = class_text(cls)
        found[name, 'slabs ACTIVE at most'] = Quantity(item.live_peak, worse=1, floor=2)
        if item.cap:
            found[name, 'soft cap'] = Quantity(item.cap, floor=2, absent_is_0=False)
        found[name, 'acquires'] = Quantity(item.acquires, floor=4, grows=True)
        if item.lock_waited_ns is not None:
            found[name, 'waiting for the pool\'s lock'] = Quantity(
                item.lock_waited_ns, 'ns', worse=1, floor=1e6, grows=True, absent_is_0=False)
        if item.lifetime:
            found[name, 'half of its slabs lived less than'] = Quantity(
                item.lifetime.p50, 'ns', floor=1e6, absent_is_0=False)
    return found
