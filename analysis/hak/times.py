"""Times as people write them, and as they read them."""

import re
import time
from datetime import datetime

from hak.errors import USAGE, HakError

# Larger numbers cannot be meant as seconds since the trace's begin: they are nanoseconds.
LONGEST_SECONDS = 10 ** 12
_CLOCK = re.compile(r'(\d{1,2}):(\d\d):(\d\d)(?:\.(\d{1,9}))?')
_SECONDS = re.compile(r'(\d+)(?:\.(\d{1,9}))?')


def parse(text: str, begin: int) -> int:
    """'1.5' seconds after the trace's begin, '12:30:59.25' of its day, or absolute nanoseconds."""
    if match := _CLOCK.fullmatch(text):
        hours, minutes, seconds = (int(part) for part in match.groups()[:3])
        if hours > 23 or minutes > 59 or seconds > 60:
            raise HakError(f'not a time of day: {text}', 'such as 12:30:59.25', USAGE)
        day = datetime.fromtimestamp(begin // 10 ** 9)
        then = day.replace(hour=hours, minute=minutes, second=min(seconds, 59))
        return (int(then.timestamp()) + (seconds == 60)) * 10 ** 9 + _fraction(match[4])
    if match := _SECONDS.fullmatch(text):
        number = int(match[1])
        if number >= LONGEST_SECONDS and not match[2]:
            return number
        return begin + number * 10 ** 9 + _fraction(match[2])
    raise HakError(f'not a time: {text}', 'seconds since the trace\'s begin such as 1.5, '
                   'HH:MM:SS, or nanoseconds since the epoch', USAGE)


def _fraction(digits) -> int:
    return int((digits or '').ljust(9, '0'))


def clock(ns: int) -> str:
    """The local time of day, to the microsecond."""
    seconds, rest = divmod(ns, 10 ** 9)
    return time.strftime('%H:%M:%S', time.localtime(seconds)) + f'.{rest // 1000:06d}'


def since(ns, begin: int) -> str:
    """Seconds since the trace's begin."""
    return '-' if ns is None else f'{(ns - begin) / 1e9:.6f}'


def day(ns: int) -> str:
    return time.strftime('%Y-%m-%d', time.localtime(ns // 10 ** 9))
