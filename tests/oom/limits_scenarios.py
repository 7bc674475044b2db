"""Limits that are met, and what is printed as the remedy: a shell puts the limit, the remedy as it
was printed behind it, and runs the program again.

Each program says whether it had all that it wanted: the puppet by its answers, others by their
exit code.
"""

from collections.abc import Sequence
from dataclasses import dataclass

PUPPET = 'PUPPET'                # stands for the puppet
CHILD_PYTHON = '/usr/bin/python3'


@dataclass(frozen=True)
class Limited:
    """`setup`: shell commands before the program is recorded. `orders`: for the puppet. `cause`:
    what must come first of the process. `served`: what nobody refused the program; then only that
    nothing is refused any more tells that the remedy works. `more`: what the remedy must say."""
    name: str
    cause: str
    setup: str
    argv: Sequence[str] = (PUPPET,)
    orders: Sequence[str] = ()
    served: bool = False
    more: str = ''


def python(code: str) -> tuple[str, ...]:
    return CHILD_PYTHON, '-c', code


FROZEN = 'export HAKMEM_SS_LG=19'
HOLDS = 'kept = [bytearray(100000) for _ in range(3000)]'
# Many systems let nobody but root lock more than 8 MiB.
LOCKED = ('import ctypes; assert ctypes.CDLL(None).mlockall(2) == 0; '
          'kept = [bytearray(100000) for _ in range(60)]')
THREADS = '''
import threading
go = threading.Event()
threads = [threading.Thread(target=go.wait, daemon=True) for _ in range(10)]
for thread in threads: thread.start()
kept = [bytearray(100000) for _ in range(9000)]
'''

LIMITED = [
    # Caps of classes.
    Limited('a class that holds more than its cap', 'soft_cap', 'export HAKMEM_TINY_CAP=6:8',
            orders=('hold 512 5000',), served=True, more='HAKMEM_TINY_CAP'),
    Limited('a class that comes and goes above its cap', 'soft_cap', 'export HAKMEM_TINY_CAP=6:8',
            orders=('churn 512 3000 40',), served=True, more='HAKMEM_TINY_CAP'),
    Limited('two classes above their caps', 'soft_cap', 'export HAKMEM_TINY_CAP=6:8,7:4',
            orders=('hold 512 5000', 'hold 2048 900', 'hold 512 2000'), served=True, more=',7:'),
    Limited('threads above a cap', 'soft_cap', 'export HAKMEM_TINY_CAP=6:8',
            orders=('threads 30 512 400', 'hold 512 2000'), served=True),
    Limited('slabs that nobody lists, and more are wanted', 'stranded_empty',
            f'{FROZEN} HAKMEM_SS_EMPTY_RECYCLE=off HAKMEM_TINY_CAP=6:8',
            orders=('churn 512 1000 1', 'hold 512 4000'), served=True,
            more='HAKMEM_SS_EMPTY_RECYCLE=full'),
    Limited('slabs beyond the scan, and more are wanted', 'scan_limit',
            f'{FROZEN} HAKMEM_SS_EMPTY_RECYCLE=mark HAKMEM_SS_EMPTY_SCAN_LIMIT=2 '
            'HAKMEM_TINY_CAP=6:8',
            orders=('hold 2048 1500', 'churn 512 1000 1', 'hold 512 4000'), served=True,
            more='HAKMEM_SS_EMPTY_SCAN_LIMIT'),

    # Pools.
    Limited('a mid pool that is full', 'ace_exhaustion', 'export HAKMEM_ACE_MID_CAP=1M',
            orders=('hold 16384 900',), served=True, more='HAKMEM_ACE_MID_CAP'),
    Limited('a mid pool that is full again and again', 'ace_exhaustion',
            'export HAKMEM_ACE_MID_CAP=1M', orders=('churn 16384 300 30',), served=True),
    Limited('a mid pool that is far too small', 'ace_exhaustion', 'export HAKMEM_ACE_MID_CAP=1M',
            orders=('hold 5000 9000', 'hold 30000 900'), served=True),
    Limited('a large pool that is full', 'ace_exhaustion', 'export HAKMEM_ACE_LARGE_CAP=4M',
            orders=('hold 300000 200',), served=True, more='HAKMEM_ACE_LARGE_CAP'),
    Limited('both pools', 'ace_exhaustion',
            'export HAKMEM_ACE_MID_CAP=1M HAKMEM_ACE_LARGE_CAP=2M',
            orders=('hold 20000 500', 'hold 200000 100'), served=True, more='HAKMEM_ACE_MID_CAP'),
    Limited('sizes without a class', 'ace_threshold', 'export HAKMEM_ACE_WMAX=1.01',
            orders=('hold 2600 900', 'hold 4500 300'), served=True, more='HAKMEM_ACE_WMAX'),

    # Limits of the process.
    Limited('address space', 'map_fail_rlimit_as', 'ulimit -S -v 200000',
            orders=('hold 512 600000',), more='ulimit -v'),
    Limited('address space, by regions', 'map_fail_rlimit_as', 'ulimit -S -v 200000',
            orders=('hold 30000 9000',), more='ulimit -v'),
    Limited('address space, by one block', 'map_fail_rlimit_as', 'ulimit -S -v 200000',
            orders=('hold 300000000 1',), more='ulimit -v'),
    Limited('address space, python3', 'map_fail_rlimit_as', 'ulimit -S -v 200000',
            python(HOLDS), more='ulimit -v'),
    Limited('address space, perl', 'map_fail_rlimit_as', 'ulimit -S -v 150000',
            ('/usr/bin/perl', '-e', 'push @a, "x" x 100000 for 1..3000'), more='ulimit -v'),
    Limited('address space, that threads\' stacks take', 'map_fail_rlimit_as',
            'ulimit -S -s 32768; ulimit -S -v 1100000', python(THREADS), more='ulimit -v'),
    Limited('private writable memory', 'map_fail_rlimit_data', 'ulimit -S -d 150000',
            orders=('hold 512 600000',), more='ulimit -d'),
    Limited('private writable memory, python3', 'map_fail_rlimit_data', 'ulimit -S -d 150000',
            python(HOLDS), more='ulimit -d'),
    Limited('a start near the limit', 'map_fail_rlimit_data', 'ulimit -S -d 30000',
            python(HOLDS), more='ulimit -d'),
    Limited('locked memory', 'map_fail_rlimit_memlock', 'ulimit -S -l 1024', python(LOCKED),
            more='ulimit -l'),
]
