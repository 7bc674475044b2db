"""What a recording says of one process."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, Optional

from hak import split, ui
from hak.db import Database
from hak.fate import Fate
from hak.geometry import ADDRESSES, STRIDES
from hak.helpers import SMALL
from hak.split import Split

SLAB = 1 << 16
# Of a row of the table memory.
TICK_NS = 10_000_000
# More than what comes and goes all the time.
OUTGROWN = 16 << 20
# Between two looks at a thread.
APART_NS = 100_000_000
# The label DUMP_EXIT.
EXIT = 7


@dataclass
class Dump:
    """One complete state dump."""
    row: Any
    classes: dict[int, Any]
    pools: dict[str, Any]            # by the layer's name
    limits: Optional[Any] = None     # that only a dump in detail has looked at
    split: Optional[Split] = None    # None: it does not say what is in memory
    shared: int = 0                  # resident bytes of shared memory that is not the tracer's

    @property
    def time(self) -> int:
        return self.row['begin']

    @property
    def end(self) -> int:
        return self.row['end']

    @property
    def ours(self) -> int:
        """Bytes that hakmem has mapped and not given back."""
        return (self.row['superslab_bytes'] - self.row['purged_bytes']
                + sum(pool['mapped'] for pool in self.pools.values()))

    @property
    def outside(self) -> int:
        """Resident bytes that are no file's and not hakmem's; at least so many, where nobody asked
        what of hakmem's is in memory."""
        if self.split:
            return self.split.parts['not_ours'] + self.shared
        if not self.row['anon']:
            return max(0, self.row['rss'] - self.ours)
        return max(0, self.row['anon'] + self.shared - self.ours)

    def live(self, cls: int) -> int:
        """Bytes of a class that are the program's: not in threads' lists or remote queues."""
        row = self.classes.get(cls)
        blocks = row['used'] - row['parked'] - row['remote'] if row else 0
        return max(0, blocks) * STRIDES[cls]

    @property
    def all_live(self) -> int:
        """Bytes of blocks that are the program's, of all classes and layers."""
        return (sum(map(self.live, self.classes))
                + sum(pool['used'] - pool['cached'] for pool in self.pools.values()))

    @property
    def parting(self) -> bool:
        """Was it made when the process ended, when much has been freed already?"""
        return self.row['why'] == EXIT


class Facts:
    """Of one process, from the database of one recording; asked for when a rule needs it.

    `fate`: what `hak record` knows of the program. `killed`: the memory cgroup in which the kernel
    killed this process, '': not known which, None: it did not, as far as anybody knows.
    `elsewhere`: dumps of the process that other recordings have.
    """

    def __init__(self, db: Database, process: Any, trace: str, fate: Optional[Fate] = None,
                 elsewhere: Sequence[Dump] = ()):
        self.db = db
        self.trace = trace
        self.process = process
        self.began: int = process['began']
        self.ended: int = process['ended']
        self.fate = fate
        self.killed: Optional[str] = None
        self.elsewhere = elsewhere

    def rows(self, table: str, order: str = '1') -> list:
        return self.db.rows_of(table, self.process['proc'], order)

    @cached_property
    def settings(self) -> dict[str, str]:
        """The knobs that are not at their default."""
        return {row['key']: row['value'] for row in self.rows('config') if not row['is_default']}

    def setting(self, knob: str, default: str) -> str:
        return self.settings.get(knob, default)

    # ---- is it all there? ----

    @cached_property
    def over(self) -> bool:
        """Is it known to have ended, so that it wanted nothing after what was recorded?"""
        return self.fate is not None or any(state.parting for state in self.states)

    @cached_property
    def losses(self) -> list:
        """Losses of events that the rules count, while the process lived."""
        return [row for row in self.db.losses() if row['state'] and (
            row['end'] is None or row['end'] >= self.began) and (
            row['begin'] is None or row['begin'] <= self.ended)]

    @cached_property
    def whole(self) -> bool:
        """Is all of it there, from the process's begin on?"""
        return bool(self.process['complete']) and not self.losses

    @cached_property
    def lost(self) -> str:
        """What was lost of the events that are counted; '' if nothing was. Packets that are
        overwritten in their turn are what a snapshot is made without."""
        gone = [row for row in self.losses if row['kind'] != 'overwritten']
        counts = {kind: sum(row['count'] or 0 for row in gone if row['kind'] == kind)
                  for kind in ('events', 'packets')}
        parts = [ui.counted(count, kind[:-1]) for kind, count in counts.items() if count]
        many = sum(counts.values())
        return '' if not gone else (f'{" and ".join(parts) or "an unknown number of events"} '
                                    f'{"was" if many == 1 else "were"} lost')

    @cached_property
    def gap(self) -> str:
        """Why events may be missing that no dump makes up for; '' if none are."""
        if self.lost:
            return self.lost
        if not self.whole and not self._all_looks:
            return "what came before the recording is not known: there is no state dump in it"
        return ''

    @property
    def next_time(self) -> str:
        return 'hak record --buffer-size 4M -- CMD' if self.lost else 'hak record -- CMD'

    # ---- refusals ----

    @cached_property
    def fails(self) -> list:
        """Requests that every stage refused: by class and reason."""
        return [{**row, 'reason': self.db.label('fail_reason', row['reason'])}
                for row in map(dict, self.rows('fail_total', 'first'))]

    @cached_property
    def ace_fails(self) -> list:
        """What ACE's layers refused: by layer, reason and errno. passed_on: of sizes that belong
        to another layer, which had refused them before."""
        return [{**row, 'layer': self.db.label('ace_layer', row['layer']),
                 'reason': self.db.label('ace_reason', row['reason'])}
                for row in map(dict, self.db.ace_failures_of(self.process['proc']))]

    def failures(self, kind: str) -> list:
        return [row for row in self._failures
                if row['kind'] == kind and (row['size'] or 0) < ADDRESSES]

    @cached_property
    def _failures(self) -> list:
        return self.rows('failure', 'time')

    def share_of_refused(self, count: int) -> float:
        """Of all requests that the shared pool or the layer they belong to refused."""
        total = sum(row['count'] for row in self.fails)
        total += sum(row['count'] for row in self.ace_fails
                     if not row['passed_on'] and row['layer'] != 'TINY')
        return min(1.0, count / total) if total else 1.0

    def legacy_blocks(self, cls: int) -> int:
        return sum(row['count'] for row in self.rows('legacy_total') if row['cls'] == cls)

    def legacy_slabs(self, cls: int) -> int:
        """What the class had in the legacy backend at most: it uses a slab again before it takes
        another, and gives none back."""
        slabs = sum(row['slabs'] or 0 for row in self._superslabs if row['cls'] == cls
                    and self.db.label('ss_kind', row['kind']) == 'LEGACY')
        whole = -(-self.legacy_blocks(cls) * STRIDES[cls] // SLAB)
        return min(slabs, whole) if slabs else whole

    def behind(self, layer: str) -> int:
        """Bytes that the layers had mapped at most which serve what this one refuses."""
        order = ('MID', 'LARGE', 'HUGE')
        names = order[order.index(layer) + 1:]
        return self.system_malloc_bytes + sum(
            row['peak'] for row in self.rows('layer')
            if self.db.label('ace_layer', row['layer']) in names)

    @cached_property
    def refused_threads(self) -> int:
        """Of those that were refused a slab, how many lived at the same time."""
        lives = [(row['begin'] or self.began, row['end'] or self.ended)
                 for row in self.rows('thread') if row['refused']]
        steps = sorted(step for begin, end in lives for step in ((begin, 1), (end, -1)))
        return max(accumulate(change for _, change in steps), default=0)

    @property
    def system_malloc_bytes(self) -> int:
        return sum(row['bytes'] for row in self.rows('legacy_total')
                   if self.db.label('legacy_source', row['source']) == 'SYSTEM_MALLOC')

    # ---- memory ----

    @cached_property
    def tight(self) -> bool:
        """Did memory run short, as far as anybody noticed?"""
        return bool(self.pressures or self.failures('oom')
                    or any(row['reason'] == 'MAP_FAIL_OS' for row in self.ace_fails))

    @property
    def largest(self) -> Optional[Split]:
        """Where the memory went when there was most of it."""
        return max((dump.split for dump in self.states if dump.split),
                   key=lambda told: told.rss, default=None)

    @property
    def small(self) -> bool:
        """Was it never large enough to be dumped, or to hold anything that matters?"""
        return self.whole and self.most_rss < SMALL

    @cached_property
    def most_rss(self) -> int:
        """The most that is known; where nobody looked, what hakmem had mapped."""
        return max((dump.row['rss'] for dump in self._all_looks),
                   default=max((row['tiny'] + row['mid'] + row['large'] + row['huge']
                                for row in self._memory), default=0))

    def mean_request(self, cls: int) -> Optional[float]:
        """Bytes that requests of a class ask for: of all that were recorded, or of the samples
        that a dump has."""
        if cls in self._means:
            return self._means[cls]
        for dump in reversed(self._all_looks):
            mean = split.sampled(dump.classes[cls]) if cls in dump.classes else None
            if mean is not None:
                return mean
        return None

    @cached_property
    def _means(self) -> dict[int, float]:
        return self.db.mean_requests(self.process['proc'])

    def mapped_between(self, since: int, until: int) -> int:
        """Bytes that hakmem mapped in that time, less what it unmapped."""
        net = self._ace_at(until) - self._ace_at(since)
        for row in self._superslabs:
            came, went = (time is not None and since < time <= until
                          for time in (row['time'], row['unmapped']))
            # How large one is whose map was lost, nobody knows.
            net += (came - went) << row['lg'] if row['lg'] is not None else 0
        return net

    @cached_property
    def _superslabs(self) -> list:
        return self.rows('superslab')

    def _ace_at(self, time: int) -> int:
        """Mapped by ACE's layers, as far as that was recorded."""
        at = bisect_right(self._memory, time, key=lambda row: row['tick'])
        return sum(self._memory[at - 1][layer] for layer in ('mid', 'large', 'huge')) if at else 0

    @cached_property
    def _memory(self) -> list:
        """What was mapped at the end of each tick in which that changed."""
        return self.rows('memory', 'tick')

    @property
    def mapped(self) -> int:
        """Bytes that hakmem had at the end and had not given back, as far as that was recorded."""
        if not self._memory:
            return 0
        row = self._memory[-1]
        return row['tiny'] - row['returned'] + row['mid'] + row['large'] + row['huge']

    @property
    def outgrown(self) -> bool:
        """Has hakmem mapped far more after the last dump than it says?"""
        dump = self.last_state
        return self.mapped_between(dump.end, self.ended) > max(OUTGROWN, dump.ours / 2)

    @cached_property
    def peaks(self) -> dict[int, int]:
        """Class -> ACTIVE slabs at most."""
        peaks = {row['cls']: row['peak'] for row in self.rows('class_total')}
        for dump in self.states:
            for cls, row in dump.classes.items():
                peaks[cls] = max(peaks.get(cls, 0), row['slabs'])
        return {cls: peak for cls, peak in peaks.items() if cls < len(STRIDES)}

    def peak_time(self, cls: int) -> int:
        at = [row['peak_at'] for row in self.rows('class_total') if row['cls'] == cls]
        return at[0] if at and at[0] is not None else self.began

    @cached_property
    def pressures(self) -> list[dict]:
        return [{**row, 'what': self.db.label('pressure_what', row['what'])}
                for row in map(dict, self.rows('pressure', 'time'))]

    # ---- state dumps ----

    @cached_property
    def states(self) -> list[Dump]:
        """All that are whole, of sums only too."""
        return [dump for dump in self._all_looks if dump.row['complete']]

    @cached_property
    def looks(self) -> list[Dump]:
        """Those in detail that tell of the process, its classes and layers; of the slabs some may
        be lost."""
        return [dump for dump in self._all_looks if dump.row['details']]

    @cached_property
    def dumps(self) -> list[Dump]:
        """Those in detail that are whole."""
        return [dump for dump in self.looks if dump.row['complete']]

    @property
    def last_dump(self) -> Optional[Dump]:
        return self.looks[-1] if self.looks else None

    @property
    def last_state(self) -> Optional[Dump]:
        return self._all_looks[-1] if self._all_looks else None

    def details_near(self, state: Dump) -> list[Dump]:
        """Those that tell of slabs, the one that was made nearest to a state first."""
        told = [dump for dump in self.dumps if self.slabs(dump)]
        return sorted(told, key=lambda dump: abs(dump.time - state.time))

    def nearest_detail(self, state: Dump) -> Optional[Dump]:
        return next(iter(self.details_near(state)), None)

    def slabs(self, dump: Dump) -> list:
        """The ACTIVE ones."""
        return [row for row in self._of('dump_slab', dump.row)
                if self.db.label('dumped_state', row['state']) == 'DUMPED_ACTIVE']

    def threads(self, dump: Dump) -> list:
        return self._of('dump_thread', dump.row)

    def thread(self, dump: Dump, owner: int) -> Optional[Any]:
        return next((row for row in self.threads(dump) if owner and row['owner'] == owner), None)

    def cpu_share(self, dump: Dump, owner: int) -> Optional[float]:
        """Of a CPU, that a thread used between this dump and another; None: there is none."""
        mine = self.thread(dump, owner)
        for other in reversed(self.dumps):
            row = self.thread(other, owner)
            if row and row['tid'] == mine['tid'] and abs(other.time - dump.time) > APART_NS:
                return abs(row['cpu_ns'] - mine['cpu_ns']) / abs(other.time - dump.time)
        return None

    def since(self, dump: Dump) -> int:
        """When what a dump shows began, as far as anybody knows: after the dump before."""
        before = [each.time for each in self.states if each.time < dump.time]
        return before[-1] if before else self.began

    @cached_property
    def _all_looks(self) -> list[Dump]:
        dumps = list(self._read_dumps())
        # In a forked child it may all be its parent's, of which it touches one page after the other.
        if not self.process['parent']:
            for dump, tracers in zip(dumps, self._tracers(dumps)):
                dump.shared = max(0, (dump.row['shmem'] or 0) - tracers)
        return dumps

    @staticmethod
    def _tracers(dumps: list[Dump]) -> list[int]:
        """What the tracer's buffers take, at most, at each dump: sums do not say, and a session
        may have begun or ended since one in detail did, or until the next."""
        told = [dump.limits and dump.limits['tracer'] for dump in dumps]
        before = accumulate(told, lambda last, now: last if now is None else now)
        after = reversed(list(accumulate(reversed(told), lambda last, now:
                                         last if now is None else now)))
        return [max(one or 0, other or 0) for one, other in zip(before, after)]

    def _read_dumps(self) -> Iterator[Dump]:
        for row in self.rows('dump', 'seq'):
            if row['complete'] or row['rss'] and row['end']:
                classes = {each['cls']: each for each in self._of('dump_class', row)}
                pools = {self.db.label('ace_layer', each['layer']): each
                         for each in self._of('dump_pool', row)}
                told = split.of(row['begin'], row, classes, pools, self._means)
                yield Dump(row, classes, pools, next(iter(self._of('dump_limits', row)), None),
                           told if row['complete'] else None)

    def _of(self, table: str, dump: Any) -> list:
        return self._by_seq(table).get(dump['seq'], [])

    def _by_seq(self, table: str) -> dict[int, list]:
        found: dict[int, list] = self._dumped.setdefault(table, {})
        if not found:
            for row in self.rows(table, 'seq'):
                found.setdefault(row['seq'], []).append(row)
        return found

    @cached_property
    def _dumped(self) -> dict[str, dict[int, list]]:
        return {}
