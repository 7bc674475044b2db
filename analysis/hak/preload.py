"""The environment in which a program runs on our allocator and is recorded."""

from pathlib import Path
from typing import Mapping, Optional

from hak import paths
from hak.errors import HakError

# How long a program may wait at its start until the daemon knows it, in milliseconds. LTTng's 3 s
# are too short on a machine under load, and then the first events are missing; without a
# limit (-1), a daemon that hangs would hang the program.
REGISTER_TIMEOUT = '10000'


def allocator(env: Mapping[str, str]) -> dict[str, str]:
    """What to set on top of `env` for the allocator alone."""
    library = str(paths.library())
    if any(mark in library for mark in ' :\n\t'):
        raise HakError(f'{library}: the dynamic loader cannot preload from a path with spaces '
                       'or colons', 'install hakmem elsewhere')
    others = env.get('LD_PRELOAD', '').replace(':', ' ').split()
    return {'LD_PRELOAD': ':'.join([library, *(other for other in others if other != library)])}


def changes(env: Mapping[str, str], home: Optional[Path] = None,
            singly: bool = False) -> dict[str, str]:
    """What to set on top of `env`; `home` is the LTTNG_HOME of a daemon of our own. singly: storms
    of refusals are told one by one."""
    result = {**allocator(env), 'HAKMEM_TRACE': '1'}
    if singly and 'HAKMEM_TELL_SINGLY' not in env:
        result['HAKMEM_TELL_SINGLY'] = '0'
    if 'LTTNG_UST_REGISTER_TIMEOUT' not in env:
        result['LTTNG_UST_REGISTER_TIMEOUT'] = REGISTER_TIMEOUT
    if home is not None:
        result['LTTNG_HOME'] = str(home)
    return result
