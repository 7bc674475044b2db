"""What the events of single mallocs and frees add up to, where they were recorded."""

from typing import Any, Optional

from hak.db import Database, Scope
from hak.geometry import LAYER_CLASSES, NO_CLASS

EVENTS = {'alloc', 'free'}
THREADS_MOST = 100


def told(db: Database, scope: Scope) -> Optional[dict[str, Any]]:
    """None: not recorded. `unseen`: frees of blocks that were allocated before the recording, by a
    process before it forked, or in what was lost."""
    if not EVENTS & db.event_totals().keys():
        return None
    threads = [dict(row) for row in db.ops(scope, 'proc, pid, tid')]
    threads.sort(key=lambda row: -row['allocs'] - row['frees'])
    return {
        'classes': [_named(row) for row in db.ops(scope, 'cls')],
        'processes': [dict(row) for row in db.ops(scope, 'proc, pid')],
        'threads': threads[:THREADS_MOST],
        'sizes': [_named(row) for row in db.op_sizes(scope)],
    }


def _named(row: Any) -> dict[str, Any]:
    """With the layer's name for what has no class."""
    facts = dict(row)
    cls = facts.pop('cls')
    layer = LAYER_CLASSES.get(cls, 'SYSTEM' if cls == NO_CLASS else None)
    return {'cls': None if layer else cls, 'layer': layer, **facts}
