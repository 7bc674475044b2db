"""How large the ring buffers are, and whether they fit into /dev/shm.

LTTng allocates one set of sub-buffers per possible CPU and user, in /dev/shm, and cannot start
a channel that does not fit there.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from hak.errors import USAGE, HakError

MIB = 1 << 20
SMALLEST = 1 << 16
# Part of the free space in /dev/shm that one recording may take.
SHARE = 0.5


@dataclass(frozen=True)
class Buffers:
    size: int    # bytes of a sub-buffer, a power of two
    count: int   # sub-buffers per CPU, a power of two

    def total(self) -> int:
        # The reader owns one sub-buffer more than the writers see.
        return self.size * (self.count + 1) * possible_cpus()


# Sized so that nothing is lost while the consumer is away for the tenths of a second that a
# busy machine may keep it from running: an event takes about 60 bytes.
DEFAULTS = {
    'lifecycle': Buffers(1 * MIB, 4),
    'statedump': Buffers(MIB // 8, 4),
    'statedump_slabs': Buffers(MIB // 2, 4),
    'flow': Buffers(2 * MIB, 8),
    'ops': Buffers(4 * MIB, 8),
    'libc': Buffers(4 * MIB, 8),
}


def possible_cpus() -> int:
    """CPUs that may ever come online: LTTng prepares buffers for all of them."""
    try:
        ranges = Path('/sys/devices/system/cpu/possible').read_text(encoding='ascii')
        return max(int(part.split('-')[-1]) for part in ranges.strip().split(',')) + 1
    except (OSError, ValueError):
        return os.cpu_count() or 1


def free_shm() -> int:
    try:
        stat = os.statvfs('/dev/shm')
    except OSError:
        raise HakError('/dev/shm is missing', 'mount a tmpfs there') from None
    return stat.f_bavail * stat.f_frsize


def fitting(wanted: dict[str, Buffers], available: int) -> dict[str, Buffers]:
    """The wanted buffers, halved until all of them fit into their share of /dev/shm."""
    chosen = dict(wanted)
    while sum(buffers.total() for buffers in chosen.values()) > available * SHARE:
        largest = max(chosen, key=lambda name: chosen[name].total())
        if chosen[largest].size <= SMALLEST:
            raise HakError('/dev/shm is too small for trace buffers',
                           'mount -o remount,size=1G /dev/shm (containers: --shm-size=1g)')
        chosen[largest] = replace(chosen[largest], size=chosen[largest].size // 2)
    return chosen


def parse_size(text: str) -> int:
    """'512K', '4M', '65536': bytes, rounded up to the power of two that LTTng insists on."""
    units = {'K': 10, 'M': 20, 'G': 30}
    digits, unit = (text[:-1], text[-1].upper()) if text[-1:].upper() in units else (text, '')
    if not (digits.isascii() and digits.isdigit()):
        raise HakError(f'not a size: {text!r}', 'such as 512K or 4M', USAGE)
    size = int(digits) << units.get(unit, 0)
    if not 4096 <= size <= 1 << 30:
        raise HakError(f'buffer size {text} is out of range', 'from 4K to 1G', USAGE)
    return 1 << (size - 1).bit_length()


def parse_count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 2 <= int(text) <= 1024:
        raise HakError(f'not a number of sub-buffers: {text!r}', 'from 2 to 1024', USAGE)
    return 1 << (int(text) - 1).bit_length()
