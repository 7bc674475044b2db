"""The events that exist and their tiers, read from tracepoints/events.def."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from hak import paths
from hak.errors import HakError

# What `--tier` records, from always affordable to everything: all tiers but these.
LEFT_OUT = {'lifecycle': {'flow', 'ops'}, 'flow': {'ops'}, 'ops': set()}
# Tiers of which each has a channel of its own.
DENSE = {'statedump', 'periodic', 'flow', 'ops'}
SLABS = {'statedump_superslab', 'statedump_slab'}

_COMMENT = re.compile(r'/\*.*?\*/', re.DOTALL)
_EVENT = re.compile(r'\bHAK_EVENT\(\s*(\w+)\s*,\s*(\w+)\s*,\s*(\w+)\s*[,)]')


@dataclass(frozen=True)
class Event:
    name: str
    tier: str
    level: str


def events(source: Optional[Path] = None) -> list[Event]:
    source = source or paths.event_catalogue()
    text = _COMMENT.sub('', source.read_text(encoding='utf-8'))
    found = [Event(*match.groups()) for match in _EVENT.finditer(text)]
    if not found:
        raise HakError(f'{source} lists no events')
    return found


def channel_of(event: Event) -> str:
    """What a dump says of slabs is as much as there are slabs: that shall not push out what it says
    of the process."""
    if event.tier == 'periodic':
        return 'statedump'
    return 'statedump_slabs' if event.name in SLABS else event.tier


def recorded_by(tier: str, source: Optional[Path] = None) -> dict[str, list[str]]:
    """Channel -> names of the events that `--tier tier` records in it.

    Every dense tier has a channel of its own, so that when its buffers overflow the rare events,
    on which the reports' conclusions rest, are not lost with it.
    """
    channels: dict[str, list[str]] = {}
    for event in events(source):
        if event.tier not in LEFT_OUT[tier]:
            channel = channel_of(event) if event.tier in DENSE else 'lifecycle'
            channels.setdefault(channel, []).append(event.name)
    return channels
