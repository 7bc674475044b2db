"""Processes that did nothing of note: shells, cat, sleep, what a program starts in passing."""

from collections import Counter
from collections.abc import Iterable
from typing import Optional

from hak import ui
from hak.db import Database

# A process without load has regions of the mid and large pools, and some SuperSlabs.
SMALL = 24 << 20
# For so long nobody need have looked how large it was.
BRIEF_NS = 2_000_000_000
NAMES_SHOWN = 6


def find(db: Database, program: Optional[int] = None) -> set[int]:
    """Numbers of those that were small and failed in nothing. `program`: the pid of the one that
    was to be recorded, which is none; nor is the largest."""
    rows = db.sizes()
    if len(rows) < 2:
        return set()
    largest = max(rows, key=_size)['pid']
    return {row['proc'] for row in rows if row['pid'] not in (program, largest)
            and not row['failed'] and _size(row) < SMALL
            and (row['resident'] is not None or row['ended'] - row['began'] < BRIEF_NS)}


def _size(row) -> int:
    """Of a child that was seen for a moment: what it took besides its parent's."""
    return max(row['mapped'], row['resident'] or 0)


def told(names: Iterable[str]) -> str:
    """'14 helpers (sh ×8, cat ×6)'"""
    counts = Counter(name or '?' for name in names)
    shown = [name if count == 1 else f'{name} ×{count}'
             for name, count in counts.most_common(NAMES_SHOWN)]
    more = len(counts) - len(shown)
    return (f'{ui.counted(counts.total(), "helper")} ({", ".join(shown)}'
            + (f' and {more} more' if more else '') + ')')
