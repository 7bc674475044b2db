"""hakmem's heap in gdb: on a live process or a core.

    (gdb) source scripts/hakmem-gdb.py
    (gdb) hak heap              SuperSlabs, slabs by state, bytes
    (gdb) hak classes           a line per class: ACTIVE, cap, EMPTY, live blocks
    (gdb) hak slab ADDRESS      the slab that an address lies in
    (gdb) hak block ADDRESS     live or free, where it waits, its header word

Reads memory only; calls nothing in the process. Needs libhakmem.so with its debug information,
which it is built with.
"""

import struct

import gdb

SLAB_LG = 16
SLAB_SIZE = 1 << SLAB_LG
GRAIN_LG, PLACE_SHIFT = 6, 58   # src/vg_blocks.c
SS_HEADER = 2048
REMOTE_FLAGS = 3
GRANULE_LG, LEAF_LG, ROOTS = 19, 14, 1 << 15
ACE = {-1: 'in the mid pool', -2: 'in the large pool', -3: 'in a huge block', -4: 'in a huge block'}
# Under memcheck: bytes between the start of a block and of the program's part of it.
LEADS = (32, 64, 128, 256, 512, 1024)
MASK = (1 << 64) - 1
STATES = ('UNUSED', 'ACTIVE', 'EMPTY', 'EMPTY on its list', 'being given back')
KINDS = ('the pool', 'the legacy backend')


class Missing(Exception):
    """What there is no heap without."""


def symbol(name):
    found = gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)
    if found is None:
        raise Missing(f'no symbol {name}: is libhakmem.so loaded, and is it the build that the '
                      'core was made with?')
    return found.value()


def number(value):
    """An integer or a pointer, also an _Atomic one."""
    return int(value.cast(gdb.lookup_type('unsigned long')))


def word_at(address):
    return int.from_bytes(gdb.selected_inferior().read_memory(address, 8).tobytes(), 'little')


def info_of(address):
    """The info word of the slab at address, in the page map."""
    leaf = number(symbol('pagemap_root')[address >> GRANULE_LG + LEAF_LG])
    at = address >> SLAB_LG & (1 << LEAF_LG + GRANULE_LG - SLAB_LG) - 1
    words = gdb.Value(leaf).cast(gdb.lookup_type('struct pagemap_leaf').pointer())['info']
    return number(words[at])


class Slab:
    def __init__(self, superslab, index):
        self.superslab, self.index = superslab, index
        self.value = superslab.value['slab'][index]
        info = info_of(superslab.base + (index << SLAB_LG))
        self.cls, self.state, self.carved = info & 0xff, info >> 8 & 0xff, info >> 16
        self.stride = int(symbol('geometry')[self.cls]['stride'])
        self.first = superslab.base + (index << SLAB_LG) + (SS_HEADER if index == 0 else 0)
        self.capacity = (SLAB_SIZE - (SS_HEADER if index == 0 else 0)) // self.stride

    @property
    def name(self):
        return f'ss {self.superslab.base:#x} slab {self.index} gen {int(self.value["gen"])}'

    @property
    def used(self):
        """Blocks that are not on the slab's own freelist."""
        return int(self.value['used']) if self.state == 1 else 0

    @property
    def owner(self):
        owner = number(self.value['owner'])
        if not owner:
            return 'nobody'
        value = self.value['owner'].cast(gdb.lookup_type('unsigned long')).cast(
            gdb.lookup_type('struct owner').pointer()).dereference()
        thread = int(value['tid'])
        if int(value['id']) == 0xffffffff:
            return 'the legacy backend'
        return f'owner {int(value["id"])}' + (f' (thread {thread})' if thread else ' (ended)')

    def freelist(self):
        return chain(number(self.value['freelist']), self.cls, self.capacity)

    def remote(self):
        return chain(number(self.value['remote']) & ~REMOTE_FLAGS, self.cls, self.capacity)


class SuperSlab:
    def __init__(self, base, lg):
        self.base, self.lg = base, lg
        self.value = gdb.Value(base).cast(gdb.lookup_type('struct superslab').pointer())
        self.value = self.value.dereference()

    def slabs(self):
        return [Slab(self, index) for index in range(int(self.value['slabs']))]


def chain(block, cls, longest):
    """The addresses of a list of free blocks; stops where a damaged link leads nowhere."""
    found = []
    while block and len(found) <= longest:
        found.append(block)
        try:
            block = link_of(block, cls)
        except gdb.MemoryError:
            break
    return found


def leaves():
    root = symbol('pagemap_root')
    for high in range(ROOTS):
        leaf = number(root[high])
        if leaf:
            yield high, leaf


def kinds(leaf):
    offset = next(field.bitpos // 8 for field in gdb.lookup_type('struct pagemap_leaf').fields()
                  if field.name == 'kind')
    return gdb.selected_inferior().read_memory(leaf + offset, 1 << LEAF_LG).tobytes()


def superslabs():
    """All of them, found by the page map: the legacy backend's too."""
    for high, leaf in leaves():
        for low, lg in enumerate(kinds(leaf)):
            base = (high << LEAF_LG | low) << GRANULE_LG
            if 19 <= lg <= 21 and base % (1 << lg) == 0:
                yield SuperSlab(base, lg)


def kind_of(address):
    """What the page map says: log2 of a SuperSlab's size, one of ACE, or 0."""
    granule = address >> GRANULE_LG
    for high, leaf in leaves():
        if high == granule >> LEAF_LG:
            kind = kinds(leaf)[granule & ((1 << LEAF_LG) - 1)]
            return kind - 256 if kind > 127 else kind
    return 0


def superslab_of(address):
    lg = kind_of(address)
    return SuperSlab(address & -(1 << lg), lg) if lg > 0 else None


def slab_of(address):
    superslab = superslab_of(address)
    return superslab and Slab(superslab, (address - superslab.base) >> SLAB_LG)


def thread_lists(cls):
    """(thread, addresses) of the free blocks of a class that wait in the threads' lists."""
    selected, found = gdb.selected_thread(), []
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        try:
            head = number(gdb.parse_and_eval(f'tls.sll[{cls}].head'))
        except gdb.error:
            continue
        found.append((thread, chain(head, cls, 1 << 16)))
    if selected:
        selected.switch()
    return found


def memcheck_has(address):
    """Is a block of the program's at address, for all that the path under memcheck knows?"""
    table = gdb.parse_and_eval("'vg_blocks.c'::blocks.slabs")
    if not number(table['at']):
        return False
    size = table['at'].type.target().sizeof
    places = gdb.selected_inferior().read_memory(number(table['at']),
                                                 size * (number(table['mask']) + 1)).tobytes()
    for at in range(0, len(places), size):
        slab, extents = struct.unpack_from('<QQ', places, at)
        if slab == address >> SLAB_LG:
            extent = word_at(extents + (address % SLAB_SIZE >> GRAIN_LG) * 8)
            return extent != 0 and extent >> PLACE_SHIFT == address % (1 << GRAIN_LG)
    return False


def under_memcheck():
    return gdb.lookup_global_symbol('vg_tool') is not None and \
        str(gdb.parse_and_eval('vg_tool')) == 'VG_MEMCHECK'


LINK_BITS = (45, 40)  # where the hash of the link begins: in C0, in others


def in_slab(cls):
    """What is different in the word of a block that waits in its slab."""
    return MASK >> LINK_BITS[cls > 0] << LINK_BITS[cls > 0]


def expected_word(block, cls, following):
    """The word of a free block on a thread's list."""
    by, key = symbol('word_by'), int(symbol('word_key')[cls])
    hashed = (following * int(by['link']) & MASK) & in_slab(cls)
    word = (block * int(by['address']) & MASK) ^ key ^ hashed
    return word if cls else word ^ following >> 3


def link_of(block, cls):
    """Where the free block leads; the blocks of C0 have it in their word."""
    if cls:
        return word_at(block)
    return ((word_at(block) ^ expected_word(block, cls, 0)) & ~in_slab(cls)) << 3


def elsewhere(address):
    return ACE.get(kind_of(address), 'not hakmem\'s') + ': no slab is there'


def mib(size):
    return f'{size / (1 << 20):.1f} MiB'


class Hak(gdb.Command):
    """hakmem's heap: hak heap | classes | slab ADDRESS | block ADDRESS"""

    def __init__(self):
        super().__init__('hak', gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


class Sub(gdb.Command):
    def __init__(self, name):
        super().__init__(f'hak {name}', gdb.COMMAND_DATA)

    def invoke(self, argument, _from_tty):
        try:
            self.show(argument)
        except Missing as missing:
            raise gdb.GdbError(f'hak: {missing}') from None
        except gdb.MemoryError as error:
            raise gdb.GdbError(f'hak: {error}: the core does not hold this memory') from None

    def show(self, argument):
        raise NotImplementedError

    @staticmethod
    def address(argument):
        if not argument:
            raise gdb.GdbError('hak: which address?')
        return number(gdb.parse_and_eval(argument))


class Heap(Sub):
    """hak heap: SuperSlabs and slabs by state."""

    def show(self, argument):
        mapped, count, states, live = 0, 0, [0] * len(STATES), 0
        for superslab in superslabs():
            mapped += 1 << superslab.lg
            count += 1
            for slab in superslab.slabs():
                states[slab.state] += 1
                live += slab.used * slab.stride
        print(f'{count} SuperSlabs, {mib(mapped)}; at most {mib(live)} in use by blocks of up to '
              '2,048 bytes (threads\' lists and remote queues included)')
        for state, slabs in zip(STATES, states):
            if slabs:
                print(f'  {slabs:6} slabs {state}')


class Classes(Sub):
    """hak classes: a line per class."""

    def show(self, argument):
        active, empty, used, free = ([0] * 16 for _ in range(4))
        for superslab in superslabs():
            for slab in superslab.slabs():
                if slab.state == 1:
                    active[slab.cls] += 1
                    used[slab.cls] += slab.used
                    free[slab.cls] += slab.capacity - slab.used
                elif slab.state > 1:
                    empty[slab.cls] += 1
        waiting = [sum(len(blocks) for _, blocks in thread_lists(cls)) for cls in range(16)]
        print('class stride  ACTIVE  EMPTY     used     free  in threads\' lists')
        for cls in range(16):
            if active[cls] or empty[cls]:
                print(f'C{cls:<4} {int(symbol("geometry")[cls]["stride"]):6} {active[cls]:7} '
                      f'{empty[cls]:6} {used[cls]:8} {free[cls]:8} {waiting[cls]:8}')


class ShowSlab(Sub):
    """hak slab ADDRESS: the slab that an address lies in."""

    def show(self, argument):
        slab = slab_of(self.address(argument))
        if slab is None:
            print(elsewhere(self.address(argument)))
            return
        kind = KINDS[int(slab.superslab.value['kind'])]
        print(f'{slab.name}: C{slab.cls}, {slab.stride} bytes a block, {STATES[slab.state]}, of '
              f'{kind}')
        if slab.state == 1:
            print(f'  owned by {slab.owner}; {slab.used} of {slab.capacity} blocks used, '
                  f'{slab.carved} carved, {len(slab.freelist())} on the freelist, '
                  f'{len(slab.remote())} in the remote queue')


class ShowBlock(Sub):
    """hak block ADDRESS: is it live or free, and where?"""

    def show(self, argument):
        address = self.address(argument)
        slab = slab_of(address)
        if slab is None:
            print(elsewhere(address))
            return
        index, inside = divmod(address - slab.first, slab.stride)
        block = address - inside
        if address < slab.first:
            print(f'in the header of SuperSlab {slab.superslab.base:#x}')
            return
        print(f'block {block:#x} of C{slab.cls} ({slab.stride} bytes), number {index} in '
              f'{slab.name}' + (f'; the address is {inside} bytes into it' if inside else ''))
        if index >= slab.capacity:
            print('  behind the slab\'s last block')
        elif slab.state != 1 or index >= slab.carved:
            print(f'  never handed out in this life of the slab, which is {STATES[slab.state]}')
        else:
            print(f'  {self.where(block, slab)}')
            self.show_word(block, slab)

    @staticmethod
    def where(block, slab):
        if block in slab.freelist():
            return 'FREE, on its slab\'s freelist'
        if block in slab.remote():
            return 'FREE, in its slab\'s remote queue: the owner has not collected it yet'
        for thread, blocks in thread_lists(slab.cls):
            if block in blocks:
                return f'FREE, in the list of thread {thread.ptid[1] or thread.ptid[0]}'
        if under_memcheck() and not any(
                memcheck_has(block + lead) for lead in LEADS if lead < slab.stride):
            return 'FREED by the program: it waits in quarantine, or is spare'
        return f'LIVE; the slab belongs to {slab.owner}'

    @staticmethod
    def show_word(block, slab):
        following = link_of(block, slab.cls)
        word = word_at(block + 8 if slab.cls else block)
        expected = expected_word(block, slab.cls, following)
        if word in (expected, expected ^ in_slab(slab.cls)):
            print(f'  header word {word:#018x}: that of a free block, intact')
        elif slab.cls and (word ^ expected) & ~in_slab(slab.cls) == 0:
            print(f'  header word {word:#018x}: that of a free block, but its link was overwritten')
        elif slab.cls:
            print(f'  word at offset 8: {word:#018x} (a free block there would have '
                  f'{expected:#018x})')


Hak()
Heap('heap')
Classes('classes')
ShowSlab('slab')
ShowBlock('block')
