"""The roll of a recording (src/roll.h): who ran on hakmem, and no session was told of."""

import os
import struct
from pathlib import Path
from typing import Any

from hak import ui

NAME = 'HAK_ROLL'
_MAGIC = b'hakroll1'
_HEAD = struct.Struct('<8sI20x')
_PLACE = struct.Struct('<III4x16s')
_PLACES = 1023
_WAYS = ('executed', 'forked', 'cloned')
# Of those that are told.
_PIDS_SHOWN = 6
_OTHERS = 'others'


def make(path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, 'wb') as file:
        file.write(_HEAD.pack(_MAGIC, 0))
        file.truncate(_HEAD.size + _PLACES * _PLACE.size)


def read(path: Path) -> list[dict]:
    """Those who stand there: pid, parent, name, and how they came to be. At last, pid 0 and how
    many found no place."""
    try:
        data = path.read_bytes()
    except OSError:
        return []
    found = []
    for pid, parent, way, name in _PLACE.iter_unpack(data[_HEAD.size:]):
        if pid:
            text = name.partition(b'\0')[0].decode('utf-8', 'replace')
            found.append({'pid': pid, 'parent': parent, 'name': text,
                          'way': _WAYS[min(way, len(_WAYS) - 1)]})
    passed_by = _HEAD.unpack_from(data)[1]
    if passed_by:
        found.append({'pid': 0, 'parent': 0, 'name': f'{passed_by:,} more', 'way': _OTHERS})
    return found


def is_one(each: Any) -> bool:
    """As read() has it; it may come from a file of somebody else's."""
    return (isinstance(each, dict) and isinstance(each.get('name'), str)
            and each.get('way') in (*_WAYS, _OTHERS)
            and all(isinstance(each.get(key), int) for key in ('pid', 'parent')))


def told(unrecorded: list[dict]) -> str:
    names: dict[str, list[int]] = {}
    for each in unrecorded:
        names.setdefault(each['name'] or '?', []).append(each['pid'])
    who = ', '.join(f'{name} ({_pids(pids)})' if any(pids) else name
                    for name, pids in names.items())
    count = sum(1 for each in unrecorded if each['pid'])
    return f'{ui.counted(count, "process", "processes")} ran on hakmem and {_was(count)} not ' \
           f'recorded: {who}; {_why(unrecorded)}'


def _pids(pids: list[int]) -> str:
    shown = ', '.join(map(str, pids[:_PIDS_SHOWN]))
    return shown + (f' and {len(pids) - _PIDS_SHOWN:,} more' if len(pids) > _PIDS_SHOWN else '')


def _was(count: int) -> str:
    return 'was' if count == 1 else 'were'


def _why(unrecorded: list[dict]) -> str:
    ways = {each['way'] for each in unrecorded}
    cloned = 'a tracer cannot follow a clone() that passes fork() by'
    ended = 'they ended before the session daemon knew them, or could not reach it'
    if ways == {'cloned'}:
        return cloned
    return f'{ended}; {cloned}' if 'cloned' in ways else ended
