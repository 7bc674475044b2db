"""What ACE's layers refused by their own rules."""

from collections.abc import Iterator
from typing import Any, Optional

from hak import ui
from hak.oom.facts import Facts
from hak.oom.verdict import Evidence, Insufficient, Verdict

CAUSES = ('ace_threshold', 'ace_exhaustion')
REASONS = {'ace_threshold': 'THRESHOLD', 'ace_exhaustion': 'EXHAUSTION'}
SEEN, COUNTED = 0.95, 0.7
# Fewer requests without a class, that the next layer takes, are no burden.
UNFIT_LEAST = 256
# With this W_MAX every size has a class.
FITS_ALL = 1.33
MIB = 1 << 20
KNOBS = {'MID': 'HAKMEM_ACE_MID_CAP', 'LARGE': 'HAKMEM_ACE_LARGE_CAP'}


def judge(facts: Facts) -> Iterator[Verdict | Insufficient]:
    for cause in CAUSES:
        rows = [row for row in facts.ace_fails
                if row['reason'] == REASONS[cause] and not row['passed_on']]
        counted = _counted(facts, cause)
        least = UNFIT_LEAST if cause == 'ace_threshold' else 1
        if sum(row['count'] for row in rows) >= least:
            yield _verdict(cause, rows, facts)
        elif sum(pool[REASONS[cause].lower()] for pool in counted.values()) >= least:
            yield _from_dump(cause, counted, facts)
        elif facts.gap:
            yield Insufficient(cause, facts.gap, facts.next_time)


def _verdict(cause: str, rows: list[dict], facts: Facts) -> Verdict:
    return Verdict(cause, SEEN, min(row['first'] for row in rows),
                   facts.share_of_refused(sum(row['count'] for row in rows)),
                   [_evidence(cause, row, facts) for row in rows], _change(cause, rows, facts))


def _evidence(cause: str, row: dict, facts: Facts) -> Evidence:
    sizes = (f'{row["smallest"]:,}' if row['smallest'] == row['largest'] else
             f'{row["smallest"]:,} to {row["largest"]:,}')
    numbers = {key: row[key] for key in ('layer', 'count', 'smallest', 'largest', 'used',
                                         'used_limit', 'first', 'last')}
    what = (f'the {row["layer"].lower()} pool refused {ui.counted(row["count"], "request")} of '
            f'{sizes} B')
    if cause == 'ace_exhaustion':
        return Evidence(f'{what}: {ui.size(row["used"])} of its limit of '
                        f'{ui.size(row["used_limit"])} were given out', row['first'], numbers)
    share = row['class_share']
    return Evidence(f'{what}: the classes that fit are up to {share:.2f} times as large, W_MAX is '
                    f'{facts.setting("HAKMEM_ACE_WMAX", str(FITS_ALL))}', row['first'],
                    {**numbers, 'class_share': share})


def _change(cause: str, rows: list[dict], facts: Facts) -> str:
    if cause == 'ace_threshold':
        share = max(row['class_share'] for row in rows)
        return f'export HAKMEM_ACE_WMAX={max(FITS_ALL, share + 0.01):.2f}'
    return _limits({row['layer']: (row['used_limit'], row['bytes']) for row in rows}, facts)


def _limits(full: dict[str, tuple[int, Optional[int]]], facts: Facts) -> str:
    """By layer: its limit, and bytes that it refused, as far as they were recorded. Who goes on may
    want more than anybody has seen."""
    if not facts.over:
        return 'unset ' + ' '.join(KNOBS[layer] for layer in full if layer in KNOBS)
    return 'export ' + ' '.join(f'{KNOBS[layer]}={_raised(layer, limit, over, facts)}M'
                                for layer, (limit, over) in full.items() if layer in KNOBS)


def _raised(layer: str, limit: int, over: Optional[int], facts: Facts) -> int:
    """In MiB. What was passed on came and went: no more of it was there at once than the layers
    behind had mapped at most. An eighth more for a course that differs a little."""
    behind = facts.behind(layer)
    wanted = limit + (behind if over is None else min(over, behind))
    return -(-(wanted + max(MIB, wanted // 8)) // MIB)


# ---- before the recording ----

def _counted(facts: Facts, cause: str) -> dict[str, Any]:
    """The pools that a dump says have refused requests. What the large pool refused may have been
    passed on to it, if the mid pool refused any."""
    column, dump = REASONS[cause].lower(), facts.last_dump
    pools = {layer: pool for layer, pool in (dump.pools if dump else {}).items()
             if layer in KNOBS and pool[column]}
    mid = dump.pools.get('MID') if dump else None
    if mid and (mid['threshold'] or mid['exhaustion'] or mid['map_fail']):
        pools.pop('LARGE', None)
    return pools


def _from_dump(cause: str, pools: dict[str, Any], facts: Facts) -> Verdict:
    dump, column = facts.last_dump, REASONS[cause].lower()
    evidence = [Evidence(
        f'the {layer.lower()} pool has refused {ui.counted(pool[column], "request")} before, at '
        f'most {ui.size(pool["peak"])} of it were given out'
        + (f', its limit is {ui.size(pool["used_limit"])}' if pool['used_limit'] else ''),
        dump.time, {'layer': layer, 'count': pool[column], 'peak': pool['peak'],
                    'limit': pool['used_limit']}) for layer, pool in pools.items()]
    change = (f'export HAKMEM_ACE_WMAX={FITS_ALL}' if cause == 'ace_threshold' else
              _limits({layer: (pool['used_limit'], None) for layer, pool in pools.items()}, facts))
    count = sum(pool[column] for pool in pools.values())
    return Verdict(cause, COUNTED, facts.began, facts.share_of_refused(count), evidence, change)
