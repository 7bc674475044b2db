"""What goes wrong, as orders to the puppet, and what must be said of it.

For every cause one scenario that has it and a near miss, which looks like it and must not be
called so.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

FROZEN = {'HAKMEM_SS_LG': '19'}
# Without the classes between the powers of two, 520 bytes take 2,048.
EIGHT = {'HAKMEM_TINY_CLASSES': '8'}


@dataclass(frozen=True)
class Scenario:
    """`before`, `after`: orders before and after a late session begins.

    `causes`: what must be named, in this order, before anything else; `never`: what must not be.
    `trigger`: the condition that takes the snapshot by itself; '': somebody asks for one.
    `group`: MiB of the memory cgroup in which the puppet lives, and is killed by the kernel.
    `missing`: why this machine cannot have it.
    `remedy`: what is printed must end it.
    `plain`: as users have it, without a limit and with the tick as it is.
    """
    name: str
    causes: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    trigger: str = ''
    tier: str = 'lifecycle'
    group: int = 0
    env: dict = field(default_factory=dict)
    missing: str = ''
    plain: bool = False
    remedy: bool = False


def memory() -> int:
    """RAM and swap, in bytes."""
    lines = dict(line.split(':') for line in Path('/proc/meminfo').read_text().splitlines())
    return sum(int(lines[name].split()[0]) << 10 for name in ('MemTotal', 'SwapTotal'))


def cause(name: str, *before: str, after=(), **rest) -> Scenario:
    return Scenario(name, (name,), before, tuple(after), **rest)


def near(name: str, miss: str, *before: str, after=(), causes=(), **rest) -> Scenario:
    return Scenario(f'not {name}: {miss}', causes, before, tuple(after), (name,), **rest)


# Room for the ring buffers of a session that comes, which LTTng would not survive the lack of.
ROOM = f'limit_as {16 + 2 * (os.cpu_count() or 1)}'
# Pressure at once, and nothing refused yet: the dump that it brings shows the state.
TIGHT = ('limit_as 4',)
MAX_MAPS = int(Path('/proc/sys/vm/max_map_count').read_text())
TOO_MANY = '' if MAX_MAPS < 1 << 18 else f'vm.max_map_count is {MAX_MAPS}: it would take long'
ALLOWED = ('' if Path('/proc/sys/vm/overcommit_memory').read_text().strip() != '1'
           else 'vm.overcommit_memory is 1: nothing is refused')
# Blocks of all sizes that come and go.
WORK = ('churn 64 2000 20', 'churn 512 2000 20', 'churn 3000 100 20', 'churn 100000 10 20')
# A wave of blocks that stay.
WAVE = ('churn 512 100 20', 'hold 128 40000')
# Time that passes, as the helper thread counts it: of its own accord it looks every 150 ms.
LONGER = 'rest 20'
# More at once than there is memory, far below what FAR allows.
BEYOND = 2 * memory()

SCENARIOS = [
    Scenario('nothing wrong', (), WORK, WORK),
    Scenario('nothing wrong but tight', (), ('hold 1000 20000', *WORK), TIGHT,
             trigger='pressure'),

    # The class may not grow while all its slabs are empty.
    cause('stranded_empty', 'churn 512 1000 1', 'hold 512 1000', after=('hold 512 100',),
          trigger='shared_fail',
          env={**FROZEN, 'HAKMEM_SS_EMPTY_RECYCLE': 'off', 'HAKMEM_TINY_CAP': '6:8'}, remedy=True),
    near('stranded_empty', 'the cap has room for it', 'churn 512 1000 1', 'hold 512 1000',
         after=('hold 512 10',),
         env={**FROZEN, 'HAKMEM_SS_EMPTY_RECYCLE': 'off', 'HAKMEM_TINY_CAP': '6:20'}),

    # The EMPTY slabs are in SuperSlabs behind those that are full of C7.
    cause('scan_limit', 'hold 2048 1500', 'churn 512 1000 1', 'hold 512 2000',
          after=('hold 512 100',), trigger='shared_fail',
          env={**FROZEN, 'HAKMEM_SS_EMPTY_RECYCLE': 'mark', 'HAKMEM_SS_EMPTY_SCAN_LIMIT': '2',
               'HAKMEM_TINY_CAP': '6:8'}, remedy=True),
    near('scan_limit', 'the scan comes far enough', 'hold 2048 1500', 'churn 512 1000 1',
         'hold 512 900', after=('hold 512 10',),
         env={**FROZEN, 'HAKMEM_SS_EMPTY_RECYCLE': 'mark', 'HAKMEM_SS_EMPTY_SCAN_LIMIT': '64',
              'HAKMEM_TINY_CAP': '6:8'}),

    cause('soft_cap', 'hold 512 1500', after=('hold 512 500',), trigger='shared_fail',
          env={'HAKMEM_TINY_CAP': '6:8'}, remedy=True),
    near('soft_cap', 'just below the cap', 'hold 512 900', 'drop', after=('hold 512 900',),
         env={'HAKMEM_TINY_CAP': '6:8'}),

    # Every eighth acquire maps, and what was mapped goes back again and again.
    cause('superslab_too_small', *['hold 2048 8000', 'drop'] * 3,
          after=['hold 2048 8000', 'drop'] * 3, env=FROZEN, remedy=True),
    near('superslab_too_small', 'the largest size', *['hold 2048 8000', 'drop'] * 3,
         after=['hold 2048 8000', 'drop'] * 3, env={'HAKMEM_SS_LG': '21'}),

    cause('ace_threshold', 'hold 2600 500', after=('hold 2600 500',),
          env={'HAKMEM_ACE_WMAX': '1.01'}, remedy=True),
    near('ace_threshold', 'sizes that fit', 'hold 4096 500', after=('hold 4096 500',),
         env={'HAKMEM_ACE_WMAX': '1.01'}),

    cause('ace_exhaustion', 'hold 16384 300', after=('hold 16384 100',),
          env={'HAKMEM_ACE_MID_CAP': '1M'}, remedy=True),
    near('ace_exhaustion', 'within the limit', 'hold 16384 50', 'drop', 'hold 16384 50',
         after=('hold 16384 1',), env={'HAKMEM_ACE_MID_CAP': '1M'}),

    cause('map_fail_rlimit_as', ROOM, 'hold 512 200000', 'drop', after=('hold 512 200000',),
          trigger='map_fail'),
    near('map_fail_rlimit_as', 'another limit was first', 'hold 512 1000',
         after=('limit_as 2000', f'maps {MAX_MAPS}', 'hold 512 100000'),
         causes=('map_fail_max_map_count',), trigger='map_fail', missing=TOO_MANY),

    cause('map_fail_max_map_count', 'hold 512 1000',
          after=(f'maps {MAX_MAPS}', 'hold 512 100000'), trigger='map_fail',
          missing=TOO_MANY),
    near('map_fail_max_map_count', 'many, but not too many',
         f'maps {MAX_MAPS // 2}', ROOM, 'hold 512 200000', 'drop', after=('hold 512 200000',),
         causes=('map_fail_rlimit_as',), trigger='map_fail', missing=TOO_MANY),

    # The kernel's OOM killer leaves no last word; pressure came before.
    cause('map_fail_cgroup', 'hold 4096 2000', after=('grow_to 93 4096',), trigger='pressure',
          group=96),
    near('map_fail_cgroup', 'killed with room left', 'hold 4096 2000', after=('hold 4096 2000',),
         group=4096),

    cause('map_fail_overcommit', f'hold {BEYOND} 1', after=(f'hold {BEYOND} 1',),
          trigger='map_fail', missing=ALLOWED),
    near('map_fail_overcommit', 'the limit is the process\'s own', ROOM, 'hold 100000000 1',
         after=('hold 100000000 1',), causes=('map_fail_rlimit_as',), trigger='map_fail'),

    cause('map_fail_injected', 'hold 512 20000', after=('hold 512 20000',), trigger='map_fail',
          env={**FROZEN, 'HAKMEM_FAIL_MAP': '20%'}, remedy=True),

    cause('leak', *WAVE * 6, after=(*WAVE * 6, *TIGHT), trigger='pressure'),
    near('leak', 'a cache that is full', 'hold 128 200000', *WORK, after=(*WORK, *TIGHT),
         trigger='pressure'),

    cause('fragmentation', 'hold 512 60000', 'thin 128', after=TIGHT, trigger='pressure'),
    near('fragmentation', 'whole slabs come back', 'hold 512 30000', 'churn 512 30000 2',
         after=TIGHT, trigger='pressure'),

    cause('remote_backlog', 'lend 256 100000', after=TIGHT, trigger='pressure'),
    near('remote_backlog', 'the owner looks', 'lend 256 100000', 'wake', 'hold 256 100000',
         after=TIGHT, trigger='pressure'),

    cause('thread_cache_bloat', 'threads 200 512 120', after=TIGHT, trigger='pressure'),
    near('thread_cache_bloat', 'a few threads', 'threads 4 512 120', 'hold 512 40000',
         after=TIGHT, trigger='pressure'),

    cause('class_waste', 'hold 520 20000', after=('hold 520 10000',), tier='ops', env=EIGHT,
          remedy=True),
    near('class_waste', 'strides fit', 'hold 2000 10000', after=('hold 2000 10000',), tier='ops',
         env=EIGHT),

    cause('corruption', 'double_free 512', 'write_after_free 512', trigger='double_free'),
    near('corruption', 'everything is freed once', 'churn 512 1000 3', 'drop'),

    cause('not_us', 'map 64', after=('map 64', *TIGHT), trigger='pressure'),
    near('not_us', 'it is all the allocator\'s', 'hold 4000 16000',
         after=('hold 4000 8000', *TIGHT), trigger='pressure'),

    *(Scenario(f'{each.name}, plainly', each.causes, each.before, each.after, each.never,
               plain=True)
      for each in (
          Scenario('nothing wrong', (), (*WORK, LONGER), (*WORK, LONGER)),
          cause('leak', *(*WAVE, 'rest 5') * 8, after=(*WAVE, 'rest 5') * 9),
          near('leak', 'a cache that is full', 'hold 128 200000', *WORK, LONGER,
               after=(*WORK, LONGER)),
          cause('fragmentation', 'hold 512 60000', 'thin 128', LONGER, after=(LONGER,)),
          near('fragmentation', 'whole slabs come back', 'hold 512 30000', 'churn 512 30000 2',
               LONGER, after=(LONGER,)),
          cause('remote_backlog', 'lend 256 100000', LONGER, after=(LONGER,)),
          near('remote_backlog', 'the owner looks', 'lend 256 100000', 'wake', 'hold 256 100000',
               LONGER, after=(LONGER,)),
          cause('thread_cache_bloat', 'threads 200 512 120', LONGER, after=(LONGER,)),
          near('thread_cache_bloat', 'a few threads', 'threads 4 512 120', 'hold 512 40000', LONGER,
               after=(LONGER,)),
          cause('class_waste', 'hold 17 1500000', LONGER, after=(LONGER,)),
          near('class_waste', 'strides fit', 'hold 2000 10000', LONGER,
               after=('hold 2000 10000', LONGER)),
          cause('not_us', 'map 64', LONGER, after=('map 64', LONGER)),
          near('not_us', 'it is all the allocator\'s', 'hold 4000 16000', LONGER,
               after=('hold 4000 8000', LONGER)),
      )),

    Scenario('soft_cap, then ace_exhaustion', ('soft_cap', 'ace_exhaustion'),
             ('hold 512 3000', 'hold 16384 100'), ('hold 512 100', 'hold 16384 10'),
             env={'HAKMEM_TINY_CAP': '6:8', 'HAKMEM_ACE_MID_CAP': '1M'}),
]
