"""What a report says, as data."""

from dataclasses import asdict, dataclass, field
from typing import Optional

from hak import ui


@dataclass
class Process:
    """A program that a process executed, or was forked with."""
    pid: int
    name: str
    command: str                 # '' if not known
    program: int                 # 1 for the first that the process executed while recorded
    ppid: Optional[int]          # whose child it is; None: not known
    begin: int
    end: int
    events: int
    version: str
    flavour: str
    parent: Optional[int]        # None: its beginning is not in the trace
    complete: bool
    base: Optional[int]          # the first state dump, if it was recorded from the middle on
    settings: dict
    helper: bool                 # it was small, and did nothing of note


@dataclass
class Lifetime:
    """Nanoseconds, off by at most 1.6 percent."""
    count: int
    p50: int
    p90: int
    p99: int
    max: int


@dataclass
class ClassReport:
    """One size class. peak and cap: of the process in which it grew most."""
    stride: int
    acquires: int
    stages: dict
    live: int
    live_peak: int
    peak_at: Optional[int]
    cap: int
    lives: int
    carried: int
    shared_fail: int
    legacy: int
    emptied: int
    listed: int
    unlisted: int
    refills: Optional[int]       # from here on None where the flow tier was not recorded
    refilled: Optional[int]
    drains: Optional[int]
    given_own: Optional[int]
    given_remote: Optional[int]
    pushed: Optional[int]
    collected: Optional[int]
    locks: Optional[int]
    lock_contended: Optional[int]
    lock_waited_ns: Optional[int]
    lock_waited_max_ns: Optional[int]
    lifetime: Optional[Lifetime] = None


# What refuses, by the event that tells it.
NAMES = {'shared_fail': 'refused acquire', 'legacy': 'legacy block', 'ace_fail': 'ACE failure',
         'oom': 'NULL'}


@dataclass
class Report:
    trace: str
    begin: int                   # of the trace, nanoseconds since the epoch
    end: int
    window: Optional[tuple]
    warnings: list
    processes: list
    events: int
    foreign: int
    event_counts: dict
    lost: dict
    lives: int
    carried: int
    acquires: int
    stages: dict                 # stage -> acquires it served
    stage_outcomes: dict         # stage -> outcome -> count
    stage_ns: dict               # stage -> mean nanoseconds of a try
    warm_stages: dict            # stages, after warm-up
    classes: dict
    shared_fail: list
    legacy: list
    ace_fail: dict               # reason -> count
    failure_counts: dict         # kind -> count
    largest_oom: int             # bytes
    told_singly: dict            # kind -> refusals with events of their own, refusals
    cut_short: list              # pids whose last refusals may not have been told
    failures: dict               # kind -> the first of them
    ace_failures: list           # by layer and reason
    dumps: list                  # what each state dump says of all, in the order of time
    dumped: list                 # what the first and the last of a process say of each class
    pressure: list
    memory: list                 # by process and layer
    memory_over_time: list       # by process
    split: list                  # by process: where its memory went, see split.py
    regretted: dict              # given back and needed again at once
    caps: list
    sizes: list                  # changes of what each class maps
    class_sizes: list
    superslabs: list
    threads: list
    remote: dict
    flows: list                  # who frees whose blocks, the most first
    worst: dict
    ops: Optional[dict]          # mallocs and frees by class, process, thread, size; None: unknown
    checked: dict
    findings: list = field(default_factory=list)

    @property
    def nothing_lost(self) -> bool:
        """Is it known that all is there?"""
        return not (self.lost_words or self.lost['unfinished'] or self.lost['doubts'])

    @property
    def lost_words(self) -> str:
        """'' if no loss is known."""
        parts = [ui.counted(self.lost[what], what[:-1]) for what in ('events', 'packets')
                 if self.lost[what]]
        if self.lost['uncounted']:
            parts.append(f'an unknown number of {"others" if parts else "events"}')
        return ' and '.join(parts)

    @property
    def sums_words(self) -> str:
        """Of the refusals that came in storms; '' if each has events of its own."""
        parts = [f'{told:,} of {ui.counted(count, NAMES[kind])}'
                 for kind, (told, count) in self.told_singly.items() if told < count]
        if not parts:
            return ''
        pids = ', '.join(map(str, self.cut_short))
        return f'told singly: {", ".join(parts)}; the others in sums' + (
            f'. There may be more of the last quarter of a second of {pids}: no end was recorded'
            if pids else '')

    def as_json(self) -> dict:
        value = asdict(self)
        value.update({kind: self.failure_counts[kind] for kind in
                      ('hdr_reset', 'double_free', 'invalid_free', 'oom')})
        value['classes'] = {str(cls): item for cls, item in value['classes'].items()}
        value['duration_ns'] = self.end - self.begin
        value['findings'] = [{'name': finding.name, 'severity': finding.severity,
                              'cls': finding.cls, 'text': finding.sentence()}
                             for finding in self.findings]
        return value
