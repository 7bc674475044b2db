"""Writes scripts for emit.c: histories of an allocator, right by construction.

A history is a list of lines; tests drop, swap and change lines to make it wrong.
"""

import random
from typing import Optional

ORDER = ('STAGE_0_5', 'STAGE_1', 'STAGE_2', 'ADOPT', 'REBIND', 'STAGE_3')
SS = 0x7f0000000000
SS_STEP = 1 << 21
SLAB = 1 << 16
LG = {8: 19, 16: 20, 32: 21}   # slabs of a SuperSlab -> log2 of its bytes


STRIDES = (8, 16, 32, 64, 128, 256, 512, 2048, 48, 96, 192, 384, 768, 1024, 1280, 1536)


def line(event: str, **fields) -> str:
    return ' '.join([event, *(f'{key}={value}' for key, value in fields.items())])


class History:
    """What one process's allocator would report. Each method adds the lines of one action."""

    def __init__(self, complete: int = 1, parent: int = 0, announced: bool = True):
        self.lines: list[str] = []
        if announced:
            # Neither executed nor forked just now: it has been there.
            born = {} if complete or parent else {'born': 1}
            self.add('process_start', version='1.0', flavour='trace', os_pid=1, parent=parent,
                     complete=complete, **born)

    def add(self, event: str, **fields) -> None:
        self.lines.append(line(event, **fields))

    def text(self) -> str:
        return '\n'.join(self.lines) + '\n'

    def thread(self, owner: int = 1, tid: Optional[int] = None) -> None:
        self.add('thread_start', owner=owner, tid=tid or 100 + owner)

    def exit(self, owner: int = 1, published: int = 0, tid: Optional[int] = None) -> None:
        self.add('thread_exit', owner=owner, tid=tid or 100 + owner, published=published)

    def map(self, ss: int = SS, slabs: int = 32, kind: str = 'POOL', cls: int = 6) -> None:
        self.add('superslab_map', ss=hex(ss), lg=LG[slabs], slabs=slabs, kind=kind, cls=cls, ns=900)

    def purge(self, *slabs: int, ss: int = SS, size: int = SLAB) -> None:
        self.add('superslab_purge', ss=hex(ss), slabs=len(slabs),
                 mask=sum(1 << slab for slab in slabs), bytes=len(slabs) * size, ns=700)

    def unmap(self, ss: int = SS, slabs: int = 32, kind: str = 'POOL') -> None:
        self.add('superslab_unmap', ss=hex(ss), lg=LG[slabs], slabs=slabs, kind=kind, ns=600)

    def cap(self, to: int, why: str = 'CAP_DEMAND', cls: int = 6, demand: int = 0,
            before: int = 0) -> None:
        self.lines.append(line('cap_change', cls=cls, to=to, why=why, demand=demand)
                          + f' from={before}')

    def size(self, before: int, to: int, why: str = 'SIZE_MAP_RATE', cls: int = 6) -> None:
        self.lines.append(line('ss_size_change', cls=cls, to=to, why=why, maps=3, occupancy=70)
                          + f' from={before}')

    def region(self, event: str, base: int = SS, size: int = 2 << 20, layer: str = 'MID',
               mapped: int = 2 << 20) -> None:
        self.add(event, base=hex(base), size=size, layer=layer, mapped=mapped, ns=500)

    def remap(self, before: int, base: int, old_size: int, size: int, mapped: int) -> None:
        self.lines.append(line('ace_remap', base=hex(base), old_size=old_size, size=size,
                               mapped=mapped, ns=400) + f' from={hex(before)}')

    def ace_fail(self, size: int, layer: str, reason: str, **more: int) -> None:
        self.add('ace_fail', size=size, layer=layer, reason=reason, **more)

    def begin(self, cls: int = 6, owner: int = 1, cap: int = 0) -> None:
        self.add('acquire_begin', cls=cls, owner=owner, active=0, cap=cap)

    def refuse(self, until: str, cls: int = 6, owner: int = 1, **outcomes: str) -> None:
        """The stages before `until`, each without success."""
        for stage in ORDER[:ORDER.index(until)] if until else ORDER:
            self.stage(stage, outcomes.get(stage, 'NOTHING'), cls, owner)

    def stage(self, stage: str, outcome: str, cls: int = 6, owner: int = 1) -> None:
        self.add('acquire_stage', cls=cls, owner=owner, stage=stage, outcome=outcome, scanned=1,
                 ns=50)

    def active(self, stage: str, slab: int = 1, gen: int = 1, cls: int = 6, owner: int = 1,
               ss: int = SS, from_cls: Optional[int] = None) -> None:
        self.add('slab_active', ss=hex(ss), slab=slab, gen=gen, cls=cls, stage=stage, owner=owner,
                 capacity=128, from_cls=cls if from_cls is None else from_cls)

    def acquire(self, stage: str = 'STAGE_2', slab: int = 1, gen: int = 1, cls: int = 6,
                owner: int = 1, ss: int = SS, from_cls: Optional[int] = None, cap: int = 0) -> None:
        """A whole acquire that `stage` serves."""
        self.begin(cls, owner, cap)
        self.refuse(stage, cls, owner)
        self.active(stage, slab, gen, cls, owner, ss, from_cls)
        self.stage(stage, 'HIT', cls, owner)

    def fail(self, cls: int = 6, owner: int = 1, reason: str = 'FAIL_SOFT_CAP', cap: int = 0,
             **counts: int) -> None:
        """An acquire that every stage refuses."""
        self.begin(cls, owner, cap)
        self.refuse('', cls, owner, STAGE_2='SOFT_CAP', REBIND='SOFT_CAP', STAGE_3='SOFT_CAP')
        self.add('shared_fail', cls=cls, owner=owner, reason=reason, active=cap, cap=cap, **counts)

    def empty(self, slab: int = 1, gen: int = 1, cls: int = 6, owner: int = 1,
              ss: int = SS) -> None:
        self.add('slab_empty', ss=hex(ss), slab=slab, gen=gen, cls=cls, owner=owner)

    def release(self, slab: int = 1, gen: int = 1, cls: int = 6, listed: int = 1,
                ss: int = SS) -> None:
        self.add('slab_release', ss=hex(ss), slab=slab, gen=gen, cls=cls, listed=listed)

    def drop(self, slab: int = 1, gen: int = 1, cls: int = 6, owner: int = 1, listed: int = 1,
             ss: int = SS) -> None:
        """Empty, and released."""
        self.empty(slab, gen, cls, owner, ss)
        self.release(slab, gen, cls, listed, ss)

    def publish(self, slab: int = 1, gen: int = 1, cls: int = 6, owner: int = 1, used: int = 7,
                ss: int = SS) -> None:
        self.add('slab_publish', ss=hex(ss), slab=slab, gen=gen, cls=cls, owner=owner, used=used)

    def adopt(self, slab: int = 1, gen: int = 1, cls: int = 6, owner: int = 1, used: int = 7,
              ss: int = SS) -> None:
        self.add('slab_adopt', ss=hex(ss), slab=slab, gen=gen, cls=cls, owner=owner, used=used)

    def refill(self, slab: int = 1, gen: int = 1, cls: int = 6, owner: int = 1, taken: int = 8,
               used: int = 8, ss: int = SS, source: str = 'CARVED') -> None:
        self.lines.append(line('sll_refill', ss=hex(ss), slab=slab, gen=gen, cls=cls, owner=owner,
                               taken=taken, used=used) + f' from={source}')

    def push(self, slab: int = 1, gen: int = 1, cls: int = 6, blocks: int = 3,
             ss: int = SS) -> None:
        self.add('remote_push', ss=hex(ss), slab=slab, gen=gen, cls=cls, blocks=blocks)

    def dump(self, *superslabs: dict, seq: int = 1, why: str = 'DUMP_PERIODIC', threads: tuple = (),
             whole: int = 1, transitions: int = 1, **process: int) -> None:
        """A state dump of SuperSlabs as told_superslab() makes them."""
        self.add('statedump_begin', seq=seq, why=why, os_pid=1, classes=16,
                 transitions=transitions, details=1)
        self.add('statedump_process', seq=seq, **process)
        for owner in threads:
            self.add('statedump_thread', seq=seq, owner=owner, tid=100 + owner)
        for cls in range(16):
            mine = [slab for ss in superslabs for slab in ss['slabs']
                    if slab['cls'] == cls and slab['state'] == 'DUMPED_ACTIVE']
            self.add('statedump_class', seq=seq, cls=cls, stride=STRIDES[cls], active=len(mine),
                     peak=len(mine), **class_sums(mine))
        for layer in ('MID', 'LARGE', 'HUGE'):
            self.add('statedump_pool', seq=seq, layer=layer)
        for ss in superslabs:
            self.add('statedump_superslab', seq=seq, **ss['head'])
            for slab in ss['slabs']:
                self.add('statedump_slab', seq=seq, ss=ss['head']['ss'], **slab)
        self.add('statedump_end', seq=seq, superslabs=len(superslabs), threads=len(threads),
                 slabs=sum(len(ss['slabs']) for ss in superslabs), whole=whole, ns=1000)

    def collect(self, slab: int = 1, gen: int = 1, cls: int = 6, owner: int = 1, blocks: int = 3,
                used: int = 5, ss: int = SS) -> None:
        self.add('remote_drain', ss=hex(ss), slab=slab, gen=gen, cls=cls, owner=owner,
                 blocks=blocks, used=used)


def class_sums(slabs: list[dict]) -> dict[str, int]:
    """What a dump says of a class with these ACTIVE slabs."""
    sparse = [slab for slab in slabs if slab['used']
              and slab['used'] - slab.get('remote', 0) <= slab['carved'] // 4]
    return {'slabs': len(slabs),
            **{key: sum(slab.get(key, 0) for slab in slabs)
               for key in ('used', 'carved', 'capacity', 'remote')},
            'sparse': len(sparse),
            'sparse_free': sum(slab['carved'] - slab['used'] for slab in sparse)}


def told_slab(slab: int = 1, gen: int = 1, cls: int = 6, state: str = 'ACTIVE', owner: int = 1,
              used: int = 7) -> dict:
    active = state == 'ACTIVE'
    return {'slab': slab, 'gen': gen, 'cls': cls, 'state': f'DUMPED_{state}',
            'owner': owner if active else 0, 'used': used if active else 0, 'carved': 64,
            'capacity': 128}


def told_superslab(*slabs: dict, ss: int = SS, count: int = 32, kind: str = 'POOL',
                   purged: int = 0) -> dict:
    """slabs: those that were ever bound."""
    unused = (1 << count) - 1 & ~sum(1 << slab['slab'] for slab in slabs)
    return {'head': {'ss': hex(ss), 'lg': LG[count], 'slabs': count, 'kind': kind,
                     'unused': unused, 'purged': purged}, 'slabs': list(slabs)}


def ready(slabs: int = 32, owners: int = 2) -> History:
    """A process with threads and one SuperSlab."""
    history = History()
    for owner in range(1, owners + 1):
        history.thread(owner)
    history.map(slabs=slabs)
    return history


HELPER = 200   # the number of the thread that gives memory back


class Wanderer:
    """A long random history: every kind of transition, all of them allowed."""

    def __init__(self, seed: int, steps: int, announced: bool = True):
        self.random = random.Random(seed)
        self.history = History(announced=announced)
        self.slabs: dict[tuple, dict] = {}   # (ss, slab) -> what it is
        self.owners: dict[int, int] = {}     # number -> tid
        self.superslabs: list[int] = []      # mapped, those of 8 slabs
        self.gone: list[int] = []            # addresses that may be mapped again
        self.addresses = 0
        self.tid = 1000
        for _ in range(3):
            self.start_thread()
        self.helper = HELPER
        self.history.thread(HELPER, 999)
        for _ in range(steps):
            self.step()

    def step(self) -> None:
        action = self.random.choices(
            (self.acquire, self.drop, self.refill, self.push, self.collect, self.turn_over,
             self.fail, self.drain, self.look_after, self.purge, self.unmap),
            (30, 24, 12, 8, 8, 2, 2, 6, 2, 4, 3))[0]
        action()

    def of(self, state: str, **more) -> list:
        return [key for key, slab in self.slabs.items() if slab['state'] == state
                and all(slab[name] == value for name, value in more.items())]

    def owner(self) -> int:
        return self.random.choice(list(self.owners))

    def start_thread(self) -> None:
        number = next(n for n in range(1, 100) if n not in self.owners)
        self.tid += 1
        self.owners[number] = self.tid
        self.history.thread(number, self.tid)

    def acquire(self) -> None:
        """As the shared pool does it: the first stage that has something."""
        cls, owner = self.random.randrange(16), self.owner()
        self.history.begin(cls, owner)
        for stage in ORDER:
            if self.try_stage(stage, cls, owner):
                return

    def try_stage(self, stage: str, cls: int, owner: int) -> bool:
        if stage == 'ADOPT':
            return self.try_adopt(cls, owner)
        found = {
            'STAGE_0_5': self.of('unlisted', cls=cls),
            'STAGE_1': self.of('listed', cls=cls),
            'STAGE_2': self.of('unused'),
            'REBIND': [key for key in self.of('listed') if self.slabs[key]['cls'] != cls],
        }.get(stage, [])
        if stage == 'STAGE_3':
            found = [self.map()]
        if not found:
            self.history.stage(stage, 'NOTHING', cls, owner)
            return False
        ss, number = key = found[0] if stage == 'STAGE_3' else self.random.choice(found)
        slab = self.slabs[key]
        was = cls if slab['state'] == 'unused' else slab['cls']
        slab.update(state='active', cls=cls, owner=owner, gen=slab['gen'] + 1)
        self.history.active(stage, number, slab['gen'], cls, owner, ss, was)
        self.history.stage(stage, 'HIT', cls, owner)
        return True

    def try_adopt(self, cls: int, owner: int) -> bool:
        """Full slabs are adopted on the way, whether or not one with room is found."""
        found = self.of('published', cls=cls)[:self.random.randrange(4)]
        for ss, number in found:
            slab = self.slabs[ss, number]
            slab.update(state='active', owner=owner)
            self.history.adopt(number, slab['gen'], cls, owner, ss=ss)
        hit = bool(found) and self.random.random() < 0.7
        self.history.stage('ADOPT', 'HIT' if hit else 'NOTHING', cls, owner)
        return hit

    def map(self) -> tuple:
        if self.gone and self.random.random() < 0.7:
            ss = self.gone.pop(self.random.randrange(len(self.gone)))
        else:
            ss = SS + self.addresses * SS_STEP
            self.addresses += 1
        self.superslabs.append(ss)
        self.history.map(ss, 8)
        for number in range(8):
            self.slabs[ss, number] = {'state': 'unused', 'cls': None, 'gen': 0, 'owner': 0}
        return ss, 0

    def fail(self) -> None:
        self.history.fail(self.random.randrange(16), self.owner(), cap=5, unmarked=2)

    def some_active(self) -> Optional[tuple]:
        active = self.of('active')
        return self.random.choice(active) if active else None

    def drop(self) -> None:
        if key := self.some_active():
            slab, listed = self.slabs[key], self.random.random() < 0.8
            self.history.drop(key[1], slab['gen'], slab['cls'], slab['owner'], int(listed), key[0])
            slab['state'] = 'listed' if listed else 'unlisted'

    def refill(self) -> None:
        if key := self.some_active():
            slab = self.slabs[key]
            self.history.refill(key[1], slab['gen'], slab['cls'], slab['owner'], ss=key[0],
                                source=self.random.choice(('FREELIST', 'CARVED')))

    def push(self) -> None:
        held = self.of('active') + self.of('published')
        if held:
            ss, number = self.random.choice(held)
            slab = self.slabs[ss, number]
            self.history.push(number, slab['gen'], slab['cls'], ss=ss)

    def collect(self) -> None:
        if key := self.some_active():
            slab = self.slabs[key]
            self.history.collect(key[1], slab['gen'], slab['cls'], slab['owner'], ss=key[0])

    def drain(self) -> None:
        self.history.add('sll_drain', cls=self.random.randrange(16), owner=self.owner(), own=5,
                         remote=2, slabs=3)

    def look_after(self) -> None:
        """The helper takes slabs that ended threads left, and gives them back or away."""
        for ss, number in self.of('published')[:2]:
            slab = self.slabs[ss, number]
            same = {'slab': number, 'gen': slab['gen'], 'cls': slab['cls'], 'ss': ss}
            self.history.adopt(owner=self.helper, **same)
            self.history.collect(owner=self.helper, **same)
            if self.random.random() < 0.5:
                self.history.drop(owner=self.helper, **same)
                slab.update(state='listed', owner=0)
            else:
                self.history.publish(owner=self.helper, **same)

    def idle(self, ss: int) -> list:
        return [number for number in range(8)
                if self.slabs[ss, number]['state'] in ('listed', 'unlisted')]

    def purge(self) -> None:
        """Some of the EMPTY slabs of a SuperSlab."""
        ss = self.random.choice(self.superslabs) if self.superslabs else None
        empty = self.idle(ss) if ss else []
        if empty:
            self.history.purge(*self.random.sample(empty, self.random.randint(1, len(empty))),
                               ss=ss)

    def unmap(self) -> None:
        """A SuperSlab with few slabs in use: they are emptied before."""
        if not self.superslabs:
            return
        ss = self.random.choice(self.superslabs)
        used = [number for number in range(8)
                if self.slabs[ss, number]['state'] in ('active', 'published')]
        if len(used) > 3 or any(self.slabs[ss, number]['state'] == 'published' for number in used):
            return
        for number in used:
            slab = self.slabs[ss, number]
            self.history.drop(number, slab['gen'], slab['cls'], slab['owner'], ss=ss)
        self.history.unmap(ss, 8)
        self.superslabs.remove(ss)
        self.gone.append(ss)
        for number in range(8):
            del self.slabs[ss, number]

    DUMPED = {'active': 'ACTIVE', 'published': 'ACTIVE', 'listed': 'EMPTY_LISTED',
              'unlisted': 'EMPTY'}

    def dump(self, seq: int, why: str = 'DUMP_PERIODIC') -> None:
        """The state as it is."""
        self.history.dump(*(
            told_superslab(*(told_slab(number, slab['gen'], slab['cls'],
                                       self.DUMPED[slab['state']],
                                       slab['owner'] if slab['state'] == 'active' else 0)
                             for number in range(8)
                             if (slab := self.slabs[ss, number])['state'] != 'unused'),
                           ss=ss, count=8) for ss in self.superslabs), seq=seq, why=why)

    def turn_over(self) -> None:
        """A thread ends, another begins with its number."""
        owner = self.owner()
        mine = [key for key in self.of('active') if self.slabs[key]['owner'] == owner]
        for ss, number in mine:
            slab = self.slabs[ss, number]
            self.history.publish(number, slab['gen'], slab['cls'], owner, ss=ss)
            slab.update(state='published', owner=0)
        self.history.exit(owner, len(mine), self.owners.pop(owner))
        self.start_thread()
