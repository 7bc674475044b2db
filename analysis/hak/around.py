"""The events around a violation, read once more from the trace."""

from hak import apart
from hak.errors import HakError

BEFORE_NS, AFTER_NS = 2_000_000, 1_000_000
BEFORE, AFTER = 6, 2


def events(folders: list, row) -> list[dict]:
    """Events of the same slab or owner shortly before and after a row of the table violation.

    The violating one has 'here': True.
    """
    wanted = {key: row[key] for key in ('time', 'pid', 'ss', 'slab', 'owner', 'seen')}
    try:
        return apart.call(_events, list(map(str, folders)), wanted)
    except HakError:
        return []   # a damaged trace, told of already


def _events(folders: list[str], row: dict) -> list[dict]:
    from hak import babeltrace

    return babeltrace.around(folders, row)
