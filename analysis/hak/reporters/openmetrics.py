"""A snapshot as metrics, in OpenMetrics 1.0 or in Prometheus's older text format.

They differ in what a counter is called where it is declared, and in how the text ends: scrapers
that know OpenMetrics ask for it; node_exporter's textfile collector reads only the older one.
Counters count from when hak top began to watch the process, and restart with it; shared_fail and
legacy count from the process's beginning.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Callable

from hak.geometry import STAGE_NAMES
from hak.live.tally import behind

OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
PLAIN = 'text/plain; version=0.0.4; charset=utf-8'

Samples = Iterable[tuple[dict, Any]]


@dataclass(frozen=True)
class Family:
    name: str
    kind: str
    help: str
    of: Callable[[dict], Samples]   # a snapshot, or a process of it, -> labels and value

    @property
    def unit(self) -> str:
        _, _, last = self.name.rpartition('_')
        return last if last in ('bytes', 'seconds') else ''

    @property
    def sample_name(self) -> str:
        return f'{self.name}_total' if self.kind == 'counter' else self.name

    def lines(self, samples: Samples, form: str) -> Iterator[str]:
        """None where nothing is known: such a sample is left out."""
        known = [(labels, value) for labels, value in samples if value is not None]
        if not known:
            return
        declared = self.name if form == OPENMETRICS else self.sample_name
        yield f'# TYPE {declared} {self.kind}'
        if self.unit and form == OPENMETRICS:
            yield f'# UNIT {declared} {self.unit}'
        yield f'# HELP {declared} {self.help}'
        for labels, value in known:
            words = ','.join(f'{key}="{_escaped(str(text))}"' for key, text in labels.items())
            yield self.sample_name + (f'{{{words}}}' if words else '') + f' {value}'


def text(told: dict, form: str) -> str:
    lines = [line for family in WHOLE for line in family.lines(family.of(told), form)]
    alive = [process for process in told['processes'] if not process['ended']]
    for family in EACH:
        lines += family.lines((
            ({'pid': process['pid'], 'name': process['name'], **labels}, value)
            for process in alive for labels, value in family.of(process)), form)
    if form == OPENMETRICS:
        lines.append('# EOF')
    return '\n'.join([*lines, ''])


def _escaped(label: str) -> str:
    return label.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n')


def _count(what: str) -> Callable[[dict], Samples]:
    return lambda process: [({}, process['counts'][what])]


def _memory(what: str) -> Callable[[dict], Samples]:
    return lambda process: [({}, process['memory'].get(what))]


def _of_class(what: str) -> Callable[[dict], Samples]:
    return lambda process: [({'class': f"C{each['cls']}"}, each[what])
                            for each in process['classes']]


def _ever(what: str) -> Callable[[dict], Samples]:
    return lambda process: [({'class': f"C{each['cls']}"}, each['ever'][what])
                            for each in process['classes']]


def _slabs(process: dict) -> Samples:
    return [({'class': f"C{each['cls']}", 'state': state}, each[state])
            for each in process['classes'] for state in ('active', 'listed', 'marked', 'unmarked')]


def _caps(process: dict) -> Samples:
    """A class without a cap has none, not one of zero."""
    return [({'class': f"C{each['cls']}"}, each['cap'] or None) for each in process['classes']]


def _acquires(process: dict) -> Samples:
    return [({'class': f"C{each['cls']}", 'stage': STAGE_NAMES[stage]}, count)
            for each in process['classes'] for stage, count in each['stages'].items()]


def _pool(what: str) -> Callable[[dict], Samples]:
    return lambda process: [({'layer': each['layer'].lower()}, each.get(what))
                            for each in process['pools']]


def _split(process: dict) -> Samples:
    """Nothing, where no dump told what is in memory."""
    told = process['split']
    return [({'part': part}, value) for part, value in
            {**told['parts'], 'file': told['file']}.items()] if told else []


def _of_split(what: str) -> Callable[[dict], Samples]:
    return lambda process: [({}, process['split'][what])] if process['split'] else []


def _limits(process: dict) -> Samples:
    return [({'layer': each['layer'].lower()}, each.get('limit') or None)
            for each in process['pools']]


# ---- the families: of the whole snapshot, and of each process ----

WHOLE = (
    Family('hakmem_up', 'gauge', 'Whether a session is being read.',
           lambda told: [({}, int(told['state'] == 'live'))]),
    Family('hakmem_behind_seconds', 'gauge', 'How far what is told lies behind the clock.',
           lambda told: [({}, behind(told))]),
    Family('hakmem_lost', 'counter', 'Events and packets that the recording could not keep.',
           lambda told: [({'what': what}, count) for what, count in told['lost'].items()]),
)
EACH = (
    Family('hakmem_events', 'counter', 'Events that were read.', _count('events')),
    Family('hakmem_acquires', 'counter', 'Slabs acquired, by class and stage.', _acquires),
    Family('hakmem_empties', 'counter', 'Slabs in which nothing was live any more.',
           _of_class('empties')),
    Family('hakmem_shared_fail', 'counter', 'Acquires that every stage refused.',
           _ever('shared_fail')),
    Family('hakmem_legacy', 'counter', 'Blocks from the legacy backend.', _ever('legacy')),
    Family('hakmem_legacy_events', 'counter', 'Requests that came to the legacy backend, by '
           'reason.',
           lambda process: [({'why': why.removeprefix('WHY_').lower()}, count)
                            for why, count in process['legacy'].items()]),
    Family('hakmem_superslab_maps', 'counter', 'SuperSlabs mapped.', _count('superslab_maps')),
    Family('hakmem_superslab_unmaps', 'counter', 'SuperSlabs unmapped.',
           _count('superslab_unmaps')),
    Family('hakmem_purges', 'counter', 'Times that EMPTY slabs gave their memory back.',
           _count('purges')),
    Family('hakmem_ace_fail', 'counter', "Requests that a layer of ACE's could not serve.",
           lambda process: [({'layer': each['layer'].lower(), 'reason': each['reason'].lower()},
                             each['count']) for each in process['ace_fail']]),
    Family('hakmem_misuse', 'counter', 'Damaged free blocks, double and invalid frees.',
           lambda process: [({'kind': kind}, process['counts'][kind])
                            for kind in ('hdr_reset', 'double_free', 'invalid_free')]),
    Family('hakmem_oom', 'counter', 'Requests that got NULL.', _count('oom')),
    Family('hakmem_pressure', 'counter', 'Times that memory came near to a limit.',
           _count('pressure')),
    Family('hakmem_slabs', 'gauge', 'Slabs: ACTIVE; or with nothing live: listed, marked, or '
           'unmarked.', _slabs),
    Family('hakmem_soft_cap_slabs', 'gauge', 'ACTIVE slabs that the class may have.', _caps),
    Family('hakmem_resident_memory_bytes', 'gauge', 'RSS.', _memory('rss')),
    Family('hakmem_memory_bytes', 'gauge', 'Where resident memory is, in parts that add up to RSS.',
           _split),
    Family('hakmem_live_bytes', 'gauge', "Of the program's blocks, in memory or not.",
           _of_split('live_blocks')),
    Family('hakmem_requested_bytes', 'gauge', 'What was asked of those, about.',
           _of_split('requested')),
    Family('hakmem_superslab_bytes', 'gauge', 'Mapped for SuperSlabs.',
           _memory('superslab_bytes')),
    Family('hakmem_purged_bytes', 'gauge', 'Of those, given back to the kernel.',
           _memory('purged_bytes')),
    Family('hakmem_pool_used_bytes', 'gauge', "Given out by a layer of ACE's.", _pool('used')),
    Family('hakmem_pool_mapped_bytes', 'gauge', "Mapped by a layer of ACE's.", _pool('mapped')),
    Family('hakmem_pool_limit_bytes', 'gauge', 'What the layer may give out.', _limits),
)
