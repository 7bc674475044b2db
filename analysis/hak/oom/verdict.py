"""What the rules answer."""

from dataclasses import asdict, dataclass, field
from typing import Optional

from hak.split import Split

CAUSES = {
    'stranded_empty': 'slabs with nothing live were out of reach',
    'scan_limit': 'EMPTY slabs lay beyond the scan limit',
    'soft_cap': 'the soft cap is below the demand',
    'superslab_too_small': 'SuperSlabs are too small',
    'ace_threshold': 'no size class fits within W_MAX',
    'ace_exhaustion': "a pool's limit was reached",
    'map_fail_rlimit_as': 'the address space limit (RLIMIT_AS) was reached',
    'map_fail_rlimit_data': 'the limit of private writable memory (RLIMIT_DATA) was reached',
    'map_fail_rlimit_memlock': 'the limit of locked memory (RLIMIT_MEMLOCK) was reached',
    'map_fail_cgroup': "the memory cgroup's limit was reached",
    'machine_oom': 'the machine ran out of memory, and the kernel killed',
    'map_fail_max_map_count': 'the limit of mappings (vm.max_map_count) was reached',
    'map_fail_overcommit': 'the kernel refused to overcommit memory',
    'map_fail_injected': 'HAKMEM_FAIL_MAP made maps fail',
    'map_fail_unknown': 'the system refused memory; which limit it was is not known',
    'leak': 'live memory only grows',
    'fragmentation': 'few live blocks keep many slabs',
    'remote_backlog': 'freed blocks wait for a thread that does not fetch them',
    'thread_cache_bloat': "free blocks lie in threads' caches",
    'class_waste': 'requests are far smaller than their strides',
    'corruption': 'the program misused the heap',
    'not_us': 'memory grew outside of hakmem',
}


@dataclass(frozen=True)
class Evidence:
    """One fact. `numbers`: what the text says, for programs."""
    text: str
    time: Optional[int] = None       # nanoseconds since the epoch
    numbers: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """`confidence`: how sure it is that this was at work, 0 to 1. `weight`: how much of what went
    wrong it explains, 0 to 1: of the requests refused, or of the memory."""
    cause: str
    confidence: float
    first_time: int                  # when it was first at work
    weight: float
    evidence: list[Evidence]
    change: str                      # a command line


@dataclass(frozen=True)
class Insufficient:
    """The test for a cause could not be made."""
    cause: str
    why: str
    record: str                      # what to record next time, as a command line


@dataclass
class ProcessVerdict:
    """`ended`: how, as `hak record` saw it, '': not known. `command`: of the program that it ran.
    `limits`: in bytes, 0: none, as the last dump in detail has them. `helper`: it was small, and
    did nothing of note."""
    pid: int
    name: str
    verdicts: list[Verdict] = field(default_factory=list)
    insufficient: list[Insufficient] = field(default_factory=list)
    ruled_out: list[str] = field(default_factory=list)
    ended: str = ''
    command: list[str] = field(default_factory=list)
    limits: dict = field(default_factory=dict)
    split: Optional[Split] = None    # where its memory went, when it was largest; None: not known
    helper: bool = False


@dataclass
class Answer:
    """`begin`: of the earliest recording, to which the times are told."""
    trace: str
    begin: int
    processes: list[ProcessVerdict]
    warnings: list[str] = field(default_factory=list)

    @property
    def found(self) -> bool:
        return any(process.verdicts for process in self.processes)

    def as_json(self) -> dict:
        return {'trace': self.trace, 'begin': self.begin,
                'processes': [asdict(process) for process in self.processes],
                'warnings': self.warnings}
