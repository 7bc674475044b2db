"""Histories of processes in trouble, for `hak oom`: what events and state dumps would tell."""

from history import LG, SS, SS_STEP, History, class_sums

MIB = 1 << 20
STRIDES = (8, 16, 32, 64, 128, 256, 512, 2048, 48, 96, 192, 384, 768, 1024, 1280, 1536)
PER_SS = 32
LAYERS = ('MID', 'LARGE', 'HUGE')


class Troubled(History):
    """Also tells of configuration, dumps and refusals."""

    def __init__(self, complete: int = 1, **settings: str):
        super().__init__(complete)
        self.seq = 0
        for key, value in settings.items():
            self.add('config', key=f'HAKMEM_{key}', value=value, is_default=0)
        self.thread()

    def dump(self, why: str = 'DUMP_PRESSURE', slabs=(), threads=(), classes=None, pools=None,
             whole: int = 1, limits=None, **process: int) -> None:
        """slabs, threads: their fields; classes, pools: fields by class and layer."""
        self.seq += 1
        slabs = [{'state': 'DUMPED_ACTIVE', 'owner': 1, 'cls': 6, 'capacity': 128, 'carved': 128,
                  'used': 128, **slab} for slab in slabs]
        mapped = -(-len(slabs) // PER_SS)
        self.told('begin', why=why, os_pid=1, classes=16,
                  details=int(why != 'DUMP_SUMS'))
        self.told('process', **{'rss': mapped * SS_STEP + 8 * MIB, 'vm': 100 * MIB, 'maps': 50,
                                'max_maps': 65530, 'superslab_bytes': mapped * SS_STEP,
                                'memory': 8 << 30, 'exact': 1,
                                **{key: sum(thread.get(key, 0) for thread in threads)
                                   for key in ('parked_bytes', 'cached')}, **process})
        self.told('limits', **(limits or {}))
        for thread in threads:
            self.told('thread', **thread)
        for cls, stride in enumerate(STRIDES):
            mine = [slab for slab in slabs
                    if slab['cls'] == cls and slab['state'] == 'DUMPED_ACTIVE']
            self.told('class', **{'cls': cls, 'stride': stride, **class_sums(mine),
                                  **(classes or {}).get(cls, {})})
        for layer in LAYERS:
            self.told('pool', layer=layer, **(pools or {}).get(layer, {}))
        for number, slab in enumerate(slabs):
            ss = hex(SS + number // PER_SS * SS_STEP)
            if number % PER_SS == 0:
                self.told('superslab', ss=ss, lg=LG[PER_SS], slabs=PER_SS, kind='POOL')
            self.told('slab', **{'ss': ss, 'slab': number % PER_SS, 'gen': 1, **slab})
        if whole:
            self.told('end', superslabs=mapped, slabs=len(slabs), threads=len(threads), whole=1,
                      ns=1)

    def told(self, what: str, **fields) -> None:
        self.add(f'statedump_{what}', seq=self.seq, **fields)

    def refused(self, size: int = 5000, layer: str = 'HUGE', count: int = 1, err: int = 12,
                asked: int = 0) -> None:
        """By the system, who was asked for so much; the caller gets NULL."""
        for _ in range(count):
            self.ace_fail(size, layer, 'MAP_FAIL_OS', class_size=asked or size, err=err)
            self.add('oom', size=size, err=12)

    def fails(self, count: int = 5, **fields) -> None:
        for _ in range(count):
            self.add('shared_fail', **{'cls': 6, 'owner': 1, 'reason': 'FAIL_SOFT_CAP',
                                       'active': 40, 'cap': 40, **fields})

    def fails_in_sums(self, count: int, forgotten: int, **fields) -> None:
        """In a storm: half of them a second ago and more, half of them since."""
        for ago in (2 * 10 ** 9, 10 ** 9):
            self.add('shared_fail_sum', **{
                'count': count // 2, 'first_ago': ago, 'last_ago': ago - 10 ** 9, 'cls': 6,
                'owner': 1, 'reason': 'FAIL_SOFT_CAP', 'forgotten': forgotten // 2, 'active': 40,
                'cap': 40, 'o_0_5': 'NOTHING', 'o_1': 'NOTHING', 'o_2': 'SOFT_CAP',
                'o_adopt': 'NOTHING', 'o_rebind': 'SOFT_CAP', 'o_3': 'SOFT_CAP', **fields})

    def grow(self, slabs: int, cls: int = 4) -> None:
        """That many more slabs, which stay."""
        for _ in range(slabs):
            self.map_if_full()
            self.active('STAGE_2', self.next % PER_SS, cls=cls,
                        ss=SS + self.next // PER_SS * SS_STEP)
            self.next += 1

    def come_and_go(self, slabs: int, cls: int = 6) -> None:
        first = self.next
        self.grow(slabs, cls)
        for number in range(first, self.next):
            self.drop(number % PER_SS, cls=cls, ss=SS + number // PER_SS * SS_STEP)

    next = 0

    def map_if_full(self) -> None:
        if self.next % PER_SS == 0:
            self.map(SS + self.next // PER_SS * SS_STEP, PER_SS)


# ---- refusals ----

def stranded(unmarked: int = 20, recycle: str = 'off') -> History:
    h = Troubled(SS_EMPTY_RECYCLE=recycle, TINY_CAP='6:40')
    h.fails(unmarked=unmarked)
    return h


def stranded_in_a_storm(forgotten: int) -> History:
    """The first that is refused finds nothing idle, as the first of a storm does."""
    h = Troubled(SS_EMPTY_RECYCLE='off', TINY_CAP='6:40')
    h.fails(1)
    h.fails_in_sums(100000, forgotten, unmarked=20)
    return h


def full_pool_in_a_storm() -> History:
    h = Troubled(ACE_MID_CAP='2097152')
    h.add('ace_fail_sum', count=50000, first_ago=10 ** 9, layer='MID', reason='EXHAUSTION',
          smallest=4097, largest=8000, class_size=8192, class_of=7000, used=2 * MIB, limit=2 * MIB)
    h.add('ace_fail_sum', count=70000, first_ago=10 ** 9, layer='LARGE', reason='EXHAUSTION',
          smallest=4097, largest=8000, class_size=8192, class_of=7000, used=2 * MIB, limit=2 * MIB)
    return h


def ended(history: Troubled) -> Troubled:
    """By itself, so that no more was wanted."""
    history.dump('DUMP_EXIT')
    return history


def on_its_way() -> History:
    """EMPTY slabs between their mark and the list, where slabs are recycled."""
    h = Troubled(TINY_CAP='6:40')
    h.fails(marked=20)
    return h


def stranded_before() -> History:
    """Before the recording, as the dump counts it."""
    h = Troubled(complete=0, SS_EMPTY_RECYCLE='off', TINY_CAP='6:40')
    h.dump('DUMP_SESSION', classes={6: {'shared_fail': 9, 'frozen': 1, 'active': 40, 'peak': 40,
                                        'cap': 40, 'unmarked': 20}})
    return h


def learned_before() -> History:
    """Caps that are learned give way: the system must have refused."""
    h = Troubled(complete=0)
    h.dump('DUMP_SESSION', classes={6: {'shared_fail': 9, 'active': 40, 'peak': 40, 'cap': 40}})
    return h


def out_of_scan() -> History:
    h = Troubled(SS_EMPTY_RECYCLE='mark', SS_EMPTY_SCAN_LIMIT='2')
    h.fails(reason='FAIL_SCAN_LIMIT', marked=6, beyond=6)
    return h


def nearly_full(mib: int, why: str = 'DUMP_EXIT') -> History:
    """Of 100 MiB of address space, so many are used; nothing was refused."""
    h = Troubled()
    h.dump(why, vm=mib * MIB, limit_as=100 * MIB)
    return h


def refused_by_the_system() -> History:
    """Not by a cap: no slab of the class is to blame."""
    h = Troubled()
    h.fails(reason='FAIL_MAP_FAIL', unmarked=20)
    return h


def unfit(count: int = 300, size: int = 3000, layer: str = 'MID') -> History:
    h = Troubled(ACE_WMAX='1.01')
    for _ in range(count):
        h.ace_fail(size, layer, 'THRESHOLD', class_size=size + size // 4)
    return h


def full_pool(size: int = 16384, layer: str = 'MID') -> History:
    h = Troubled(ACE_MID_CAP='1M')
    for _ in range(5):
        h.ace_fail(size, layer, 'EXHAUSTION', class_size=size, used=MIB - 100, limit=MIB)
    return h


def full_before() -> History:
    h = Troubled(complete=0, ACE_MID_CAP='1M')
    h.dump('DUMP_SESSION', pools={'MID': {'exhaustion': 7, 'peak': MIB, 'limit': MIB},
                                  'LARGE': {'threshold': 700}})
    return h


# ---- limits ----

def limited(count: int = 3, size: int = 5000, settings=None, err: int = 12, asked: int = 0,
            **process: int) -> History:
    """Refused, and a dump of how near the limits were."""
    h = Troubled(**(settings or {}))
    h.refused(size, count=count, err=err, asked=asked)
    h.dump('DUMP_OOM', **process)
    return h


def refused_before(**process: int) -> History:
    h = Troubled(complete=0)
    h.dump('DUMP_SESSION', map_fails=4, **process)
    return h


def never_dumped() -> History:
    h = Troubled()
    h.refused()
    return h


def mapped_then_refused() -> History:
    """80 MiB more than the last dump tells of, and then the limit."""
    h = Troubled()
    h.map()
    h.dump(limit_as=181 * MIB, slabs=[{}])
    h.lines.append('sleep 40')
    h.region('ace_map', SS + (1 << 40), 80 * MIB, 'HUGE', 80 * MIB)
    h.lines.append('sleep 40')
    h.refused()
    return h


def refused_by_malloc(**process: int) -> History:
    """The process began near its limit, and has the system's malloc."""
    h = Troubled()
    h.add('oom', size=1000, err=12)
    h.dump('DUMP_OOM', **process)
    return h


def in_group(used: int, anon: int = 80 * MIB, later: int = 0, path: str = '/shop/cart.service',
             version: int = 2) -> History:
    h = Troubled()
    process = {'cgroup_limit': 100 * MIB, 'rss': anon + 90 * MIB, 'anon': anon,
               'limits': {'cgroup': path, 'cgroup_version': version}}
    h.dump('DUMP_PRESSURE', cgroup_used=used, **process)
    h.add('pressure', what='PRESSURE_CGROUP', percent=90, used=used, limit=100 * MIB,
          rss=anon + 90 * MIB, anon=anon)
    if later:
        h.dump('DUMP_PERIODIC', cgroup_used=later, **process)
    return h


# ---- growth ----

def leaking(waves: int = 24, busy: int = 3, tight: bool = False) -> History:
    h = Troubled()
    for _ in range(waves):
        h.grow(10)
        h.come_and_go(busy)
    if tight:
        h.dump(rss=20 * MIB, classes={4: {'used': 10 * waves * 512}})
        h.add('pressure', what='PRESSURE_AS', percent=90, used=90, limit=100, rss=1)
    return h


def cached() -> History:
    """Slabs whose blocks threads keep to themselves, while other memory comes and goes."""
    h = leaking()
    h.dump(rss=20 * MIB, classes={4: {'used': 240 * 512, 'parked': 240 * 500}})
    return h


def filled() -> History:
    """A cache: it grows, and then only other things happen."""
    h = Troubled()
    h.grow(200)
    for _ in range(20):
        h.come_and_go(10)
    return h


def sawtooth() -> History:
    """It grows, but much of it went back once."""
    h = leaking(waves=12)
    kept = [number for number in range(h.next) if number % 13 < 10][:60]
    for number in kept:
        h.drop(number % PER_SS, cls=4, ss=SS + number // PER_SS * SS_STEP)
    for _ in range(20):
        h.grow(10)
        h.come_and_go(3)
    return h


def late_ramp() -> History:
    h = Troubled()
    for _ in range(20):
        h.come_and_go(10)
    h.grow(200)
    return h


def ended_leak() -> History:
    """It grew for the first three quarters."""
    h = leaking(waves=20)
    for _ in range(9):
        h.come_and_go(10)
    return h


def dumped_growth() -> History:
    h = Troubled()
    for number in range(6):
        live = (number + 1) * (5 * MIB) // 128
        h.dump('DUMP_PERIODIC', slabs=[{'cls': 4, 'capacity': 512, 'carved': 512, 'used': 512}] *
               (live // 512))
    return h


def outside(first: int, then: int, rss: int, tight: bool = False, apart: int = 1100,
            name: str = '') -> History:
    """apart: milliseconds. name: of the program, if it matters."""
    h = Troubled()
    if name:
        h.lines[0] += f' name={name}'
    full = [{}] * PER_SS
    for part in (first, first, then):
        h.dump('DUMP_PERIODIC', slabs=full, rss=part * MIB + 2 * MIB)
        h.lines.append(f'sleep {apart}')
    if tight:
        h.add('pressure', what='PRESSURE_AS', percent=90, used=90, limit=100, rss=rss)
    return h


def shared(first: int, then: int, tracer: tuple[int, int] = (20, 20), parent: int = 0) -> History:
    """Beside 4 MiB of its own, so many MiB of shared memory; of them the tracer's at the beginning
    and in the end. parent: the process it was forked from."""
    h = Troubled()
    h.lines[0] += f' parent={parent}'
    for part, tracers in ((first, tracer[0]), (first, tracer[0]), (then, tracer[1])):
        h.dump('DUMP_PERIODIC', slabs=[{}] * PER_SS, rss=(part + 14) * MIB, anon=4 * MIB,
               shmem=part * MIB, limits={'tracer': tracers * MIB})
        h.lines.append('sleep 1100')
    return h


# ---- waste ----

def thinned(full: list, sparse: list) -> History:
    """Slabs of which most blocks are freed, as the sums tell first and a look at each later."""
    h = Troubled()
    h.dump('DUMP_SESSION', slabs=full)
    size = -(-len(sparse) // PER_SS) * SS_STEP
    told = [{'state': 'DUMPED_ACTIVE', 'cls': 6, 'carved': 128, 'capacity': 128, **slab}
            for slab in sparse]
    for _ in range(3):
        h.dump('DUMP_SUMS', classes={6: class_sums(told)}, rss=size + 8 * MIB, superslab_bytes=size)
    h.lines.append('sleep 500')
    h.dump('DUMP_PERIODIC', slabs=sparse)
    return h


def dumped(slabs, threads=(), tight: bool = False, **more) -> History:
    h = Troubled()
    h.dump(slabs=slabs, threads=threads, **more)
    if tight:
        h.add('pressure', what='PRESSURE_AS', percent=90, used=90, limit=100, rss=1)
    return h


def grown_sparse() -> History:
    """It grew until it was tight, for a reason that is known."""
    h = Troubled()
    h.grow(160, 6)
    h.dump(slabs=[{'used': 4}] * 160)
    h.add('pressure', what='PRESSURE_AS', percent=90, used=90, limit=100, rss=1)
    return h


def overgrown() -> History:
    """What the dump tells of is not what became of it."""
    h = dumped([{}] * PER_SS)
    h.lines.append('sleep 20')
    for number in range(20):
        h.region('ace_map', SS + (1 << 40) + number * 4 * MIB, 4 * MIB,
                 mapped=(number + 1) * 4 * MIB)
    return h


def wasteful(mean: int, slabs: int = 200, classes: str = '8', samples: int = 100,
             rss: int = 16 * MIB) -> History:
    h = Troubled(TINY_CLASSES=classes)
    h.grow(slabs, 7)
    h.dump('DUMP_PERIODIC', classes={7: {'samples': samples, 'sampled': samples * mean}},
           rss=rss)
    return h


def operating(size: int) -> History:
    """Every request is recorded."""
    h = Troubled(TINY_CLASSES='8')
    h.grow(200, 7)
    h.lines += ['repeat 50', f'alloc ptr=0x1000 size={size} cls=7', 'end']
    return h


# ---- the rest ----

def corrupt(**kinds: int) -> History:
    h = Troubled()
    for kind, count in kinds.items():
        for _ in range(count):
            h.add(kind, **{'ptr' if kind == 'invalid_free' else 'base': '0x7f0000000400'})
    return h


def corrupt_before() -> History:
    h = Troubled(complete=0)
    h.dump('DUMP_SESSION', double_frees=3)
    return h


def churning(slabs: int, back: bool = True) -> History:
    """160 acquires after warm-up; each SuperSlab has so many slabs. back: when all of it is used,
    it goes back."""
    h = Troubled(SS_LG=str(LG[slabs]))
    h.lines.append('sleep 5')
    for number in range(160):
        ss = SS + number // slabs * SS_STEP
        if number % slabs == 0:
            h.map(ss, slabs)
        h.active('STAGE_3' if number % slabs == 0 else 'STAGE_2', number % slabs, ss=ss)
        if back and number % slabs == slabs - 1:
            for slab in range(slabs):
                h.drop(slab=slab, ss=ss)
            h.unmap(ss, slabs)
    return h


def rested(history: Troubled) -> Troubled:
    """For far longer than it worked."""
    history.lines.append('sleep 500')
    history.dump('DUMP_PERIODIC')
    return history


def recycling() -> History:
    """Three small SuperSlabs serve 150 acquires."""
    h = Troubled(SS_LG='19')
    h.lines.append('sleep 5')
    for number in range(3):
        h.map(SS + number * SS_STEP, 8)
    for number in range(150):
        at = {'slab': number % 8, 'gen': number // 24 + 1, 'ss': SS + number // 8 % 3 * SS_STEP}
        h.active('STAGE_1', **at)
        h.drop(**at)
    return h


def late() -> History:
    """Nothing is known of what was before."""
    h = Troubled(complete=0)
    h.dump('DUMP_SESSION', whole=0)
    return h


def both() -> History:
    """A little of one thing early, much of another later."""
    h = Troubled(TINY_CAP='6:40')
    h.fails(3)
    for _ in range(60):
        h.ace_fail(16384, 'MID', 'EXHAUSTION', class_size=16384, used=MIB - 100, limit=MIB)
    return h
