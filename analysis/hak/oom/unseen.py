"""What the system refused to the program itself, where hakmem does not see it: mmap of its own, as
compilers' and interpreters' collectors call it.

Told by the address space at the end, where almost nothing is left of its limit. That the program
failed makes it likely; of one that ended by itself, nobody knows how, it is a guess.
"""

from signal import SIGKILL
from typing import Optional

from hak import ui
from hak.fate import Fate
from hak.oom import demand
from hak.oom.facts import Facts
from hak.oom.verdict import Evidence, Verdict

# Of the limit.
FULL = 0.95
LIKELY, GUESS = 0.7, 0.4


def verdict(facts: Facts) -> Optional[Verdict]:
    last = facts.last_state
    limit = last.row['limit_as'] if last else 0
    sure = likelihood(facts.fate, bool(last and last.parting))
    if not limit or last.row['vm'] < FULL * limit or not sure:
        return None
    used, ours = last.row['vm'], last.ours
    grown = demand.growth(facts, 'vm', last.time)
    wanted = demand.enough(max(used, limit), limit - used, grown)
    most = demand.memory(facts)
    fits = wanted is not None and most is not None and wanted < most
    return Verdict(
        'map_fail_rlimit_as', sure, facts.since(last), used / limit,
        [Evidence(f'the address space was {ui.size(used)} of {ui.size(limit)} (RLIMIT_AS) at last, '
                  f'{ui.size(ours)} of it hakmem\'s, to whom nothing was refused', last.time,
                  {'used': used, 'limit': limit, 'hakmem': ours}),
         *_end(facts), demand.told(grown, 'the address space', last.time)],
        f'ulimit -v {-(-wanted >> 10) if fits else "unlimited"}')


def likelihood(fate: Optional[Fate], parted: bool) -> float:
    """By how it ended. Who is refused memory says so, or aborts; SIGKILL is somebody else's."""
    if fate is None:
        return GUESS if parted else 0.0
    return LIKELY if fate.code and fate.signal != SIGKILL else 0.0


def _end(facts: Facts) -> list[Evidence]:
    if not facts.fate:
        return []
    code = facts.fate.code
    how = f'was killed by signal {-code}' if code < 0 else f'ended with exit code {code}'
    return [Evidence(f'the program {how}', facts.fate.ended, {'code': code})]
