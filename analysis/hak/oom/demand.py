"""How much of something the process wanted in all: what a limit must be for it to be enough.

What was refused was wanted as well. But who is refused often ends, or asks no more, so more may
have been wanted than anybody saw: then the limit is computed from how fast it was used up.
"""

from dataclasses import dataclass
from typing import Optional

from hak import ui
from hak.oom.facts import Facts
from hak.oom.verdict import Evidence

SECOND_NS, DAY_NS, GIB = 1_000_000_000, 86_400_000_000_000, 1 << 30
# A course that differs a little takes an eighth more.
MARGIN = 8
# Between two looks whose difference says how fast it grows.
APART_NS = 50_000_000


@dataclass(frozen=True)
class Growth:
    """`rate`: a second, in the `span` before `time`."""
    rate: float
    span: int
    time: int


def growth(facts: Facts, column: str, until: int) -> Optional[Growth]:
    """In the later half of what came before; None: nobody looked twice."""
    seen = [(look.time, look.row[column]) for look in facts.states
            if look.time <= until and look.row[column]]
    if not seen:
        return None
    last, most = seen[-1]
    before = [each for each in seen if last - each[0] >= APART_NS]
    if not before:
        return None
    half = [each for each in before if each[0] >= (before[0][0] + last) // 2]
    first, least = (half or before[-1:])[0]
    return Growth(max(0.0, (most - least) * SECOND_NS / (last - first)), last - first, last)


def enough(used: int, overflow: int, grown: Optional[Growth]) -> Optional[int]:
    """What lasts a day as fast as it was used up, and has room for what was refused; None: how fast
    that was is not known."""
    if grown is None:
        return None
    wanted = used + overflow
    return max(wanted + wanted // MARGIN, int(used + grown.rate * DAY_NS / SECOND_NS))


def told(grown: Optional[Growth], what: str, time: int) -> Evidence:
    """`time`: of the last look, where there is nothing to tell."""
    if grown is None:
        return Evidence(f'how fast {what} grew is not known: nobody looked twice', time)
    lasts = (f': 1.0 GiB more lasts {ui.duration(GIB / grown.rate * SECOND_NS)}' if grown.rate else
             '')
    span = ui.duration(grown.span)
    return Evidence(f'{what} grew by {ui.size(grown.rate)} a second in the {span} before{lasts}',
                    grown.time, {'rate': grown.rate, 'span': grown.span})


def memory(facts: Facts) -> Optional[int]:
    """RAM and swap of the machine; None: not known."""
    seen = max((look.row['memory'] for look in [*facts.looks, *facts.elsewhere]), default=0)
    return seen or (facts.fate.memory if facts.fate else None)
