"""Is it memory that an error is about? Then the recording is as good as it was, and it is said how
much the reader may have."""

import errno
import mmap
import os
import resource
from typing import Optional

from hak import ui
from hak.errors import HakError

# Less than that to be had: what fails then fails for want of it, whatever it says.
LEAST = 32 << 20
# How the loader says it of a library that it has no room for, and Python of a thread.
SAID = ('cannot allocate memory', 'failed to map segment', 'cannot create shared object',
        'out of memory', "can't start new thread")
LIMITS = ((resource.RLIMIT_AS, 'ulimit -v'), (resource.RLIMIT_DATA, 'ulimit -d'))


def of(error: BaseException) -> Optional[HakError]:
    """What to tell instead; None: it is not memory."""
    if isinstance(error, OSError):
        short = error.errno == errno.ENOMEM
    else:
        said = str(error).lower()
        short = (isinstance(error, MemoryError) or any(words in said for words in SAID)
                 or not _room())
    return told() if short else None


def told() -> HakError:
    return HakError('there is not enough memory for hak itself', remedy())


def limits() -> dict[str, int]:
    """Those of its own that hak has, in bytes, by how they are set."""
    return {how: limit for what, how in LIMITS
            if (limit := resource.getrlimit(what)[0]) != resource.RLIM_INFINITY}


def _room() -> bool:
    try:
        mmap.mmap(-1, LEAST, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError:
        return False
    return True


def remedy() -> str:
    if allowed := limits():
        how = min(allowed, key=lambda name: allowed[name])
        return f'allow hak more than {ui.size(allowed[how])} (`{how}`)'
    most = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    return (f'end something else on this machine of {ui.size(most)}, raise the memory cgroup\'s '
            'limit, or read the recording on a larger machine')
