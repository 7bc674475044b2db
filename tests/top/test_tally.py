"""What events add up to, and how it is laid out: without a session."""

import itertools

import pytest
import running   # makes hak importable

from hak.live.tally import REMEMBERED, Tally
from hak.reporters import top_layout
from hak.reporters.top_layout import View

assert running
SECOND = 10**9
CLASS = {'stride': 512, 'active': 3, 'peak': 5, 'cap': 9, 'frozen': 0, 'listed': 1, 'marked': 0,
         'unmarked': 0, 'ss_lg': 19, 'shared_fail': 0, 'legacy_blocks': 0}
REFUSED = {'reason': 'FAIL_SOFT_CAP', 'active': 2, 'cap': 2, 'listed': 0, 'marked': 0,
           'unmarked': 0}


class Session:
    """Feeds a tally, a pid and a time for each event."""

    def __init__(self, comm: str = 'prog'):
        self.tally = Tally()
        self.comm = comm

    def tell(self, time: float, event: str, /, pid: int = 7, **payload) -> None:
        self.tally.event(event, int(time * SECOND), pid, self.comm, payload)

    def process(self, pid: int = 7) -> dict:
        return next(each for each in self.tally.snapshot()['processes'] if each['pid'] == pid)

    def told(self) -> dict:
        return {'state': 'live', 'why': None, 'behind': 0.1, **self.tally.snapshot()}


def full_session(comm: str = 'prog', processes: int = 1) -> Session:
    session = Session(comm)
    for pid in range(1, processes + 1):
        for cls in range(16):
            session.tell(1, 'statedump_class', pid, cls=cls, **{**CLASS, 'active': cls})
        session.tell(2, 'shared_fail', pid, cls=6, **REFUSED)
    return session


def tell_split(session: Session, pid: int = 7, looked: int = 1) -> None:
    """A dump of 100 MiB, of which 60 are one class's, and 20 a huge block's."""
    mib = 1 << 20
    session.tell(3, 'statedump_begin', pid, os_pid=pid, details=0)
    session.tell(3, 'statedump_process', pid, rss=100 * mib, vm=1, limit_as=0, cgroup_used=0,
                 cgroup_limit=0, maps=0, max_maps=0, threads=0, superslab_bytes=1, purged_bytes=1,
                 anon=90 * mib, exact=1, looked=looked, empty_resident=4 * mib, unbound_resident=0,
                 headers=0, tables=mib)
    for cls in range(16):
        blocks = 60 * mib // 512 if cls == 6 else 0
        session.tell(3, 'statedump_class', pid, cls=cls, **{
            **CLASS, 'slabs': 1, 'used': blocks // 2, 'carved': blocks, 'parked': blocks // 6,
            'remote': 0, 'samples': 100, 'sampled': 100 * 480, 'resident': blocks * 512})
    for layer in ('MID', 'LARGE', 'HUGE'):
        size = 20 * mib if layer == 'HUGE' else 0
        session.tell(3, 'statedump_pool', pid, layer=layer, used=size, peak=size, limit=0,
                     mapped=size, blocks=1, threshold=0, exhaustion=0, map_fail=0, cached=0, idle=0,
                     resident=size)
    session.tell(3, 'statedump_end', pid)


def test_where_the_memory_went_is_told_by_the_last_dump_that_looked():
    session = Session()
    tell_split(session, looked=0)
    assert session.process()['split'] is None
    tell_split(session)
    told = session.process()['split']
    assert {part: round(size / (1 << 20), 2) for part, size in told['parts'].items()} == {
        'live': 38.75, 'rounding': 1.25, 'free': 30, 'remote': 0, 'caches': 10, 'empty': 4,
        'idle': 0, 'metadata': 1, 'not_ours': 5}
    assert told['file'] == 10 << 20
    assert sum(told['parts'].values()) + told['file'] == told['rss']
    tell_split(session, looked=0)
    assert session.process()['split'] == told
    screen = top_layout.screen(session.told(), 'live', '', View(), 120, 30)
    line = next(line for line in map(_text, screen) if line.startswith('memory'))
    assert line.split()[1:5] == ['live', '38.8M', 'free', '30.0M']


def _text(line) -> str:
    return ''.join(words for words, _ in line)


def test_rates_are_per_second_of_the_traces_time():
    session = Session()
    session.tell(10, 'statedump_class', cls=6, **CLASS)
    session.tally.snapshot()
    for at in range(40):
        session.tell(10.1 + at / 100, 'slab_active', cls=6, stage='STAGE_1')
    session.tally.reach(12 * SECOND)
    process = session.process()
    assert process['rates']['acquires'] == 20
    assert process['classes'][0]['acquire_rate'] == 20
    session.tally.reach(14 * SECOND)
    assert session.process()['rates']['acquires'] == 0


def test_active_slabs_follow_the_last_dump():
    session = Session()
    session.tell(1, 'slab_active', cls=6, stage='STAGE_3')   # before it, nothing is known
    assert session.process()['classes'][0]['active'] is None
    session.tell(2, 'statedump_class', cls=6, **CLASS)
    for name, extra in (('slab_active', {'stage': 'STAGE_1'}), ('slab_active', {'stage': '2'}),
                        ('slab_empty', {})):
        session.tell(3, name, cls=6, **extra)
    session.tell(4, 'cap_change', cls=6, to=12)
    assert (session.process()['classes'][0]['active'],
            session.process()['classes'][0]['cap']) == (4, 12)


def test_refusals_before_we_watched_count_and_none_counts_twice():
    session = Session()
    session.tell(1, 'statedump_class', cls=6, **{**CLASS, 'shared_fail': 50})
    session.tell(2, 'shared_fail', cls=6, **REFUSED)
    assert session.process()['ever']['shared_fail'] == 51
    # The dump's count was read just before that event, its event came after it.
    session.tell(3, 'statedump_class', cls=6, **{**CLASS, 'shared_fail': 50})
    assert session.process()['ever']['shared_fail'] == 51
    assert session.process()['counts']['shared_fail'] == 1


def test_the_same_failure_again_takes_one_place():
    session = Session()
    for at in range(5):
        session.tell(at, 'shared_fail', cls=6, **REFUSED)
    session.tell(5, 'shared_fail', cls=5, **REFUSED)
    session.tell(6, 'shared_fail', cls=6, **{**REFUSED, 'active': 3})
    failures = session.tally.snapshot()['failures']
    assert [(each['count'], each['text'][:2]) for each in failures] == [(6, 'C6'), (1, 'C5')]
    assert '3 ACTIVE' in failures[0]['text']
    for base in range(REMEMBERED + 5):
        session.tell(7, 'double_free', cls=6, base=base)
    assert len(session.tally.snapshot()['failures']) == REMEMBERED


def test_a_pid_that_is_used_again_begins_anew():
    start = {'version': '1', 'flavour': 'trace', 'os_pid': 7, 'complete': 1, 'again': 0,
             'name': 'one', 'born': 100}
    session = Session()
    session.tell(1, 'process_start', **start)
    session.tell(1, 'slab_active', cls=6, stage='STAGE_1')
    session.tell(2, 'process_start', **{**start, 'again': 1})
    assert session.process()['counts']['acquires'] == 1
    session.tell(3, 'process_start', **{**start, 'name': 'two', 'born': 200})
    assert session.process()['counts']['acquires'] == 0
    assert session.process()['name'] == 'two'


@pytest.mark.parametrize('processes', (0, 1, 40))
def test_every_size_of_screen_is_kept_to(processes):
    told = full_session(processes=processes).told()
    for width, height in itertools.product((1, 39, 40, 61, 80, 200), (1, 9, 10, 16, 24, 60)):
        for view in (View(), View(help=True), View(pid=processes, sort=2, class_sort=3)):
            lines = top_layout.screen(told, 'live', '', view, width, height)
            assert len(lines) <= height
            assert all(sum(len(text) for text, _ in line) <= width for line in lines)


def test_what_finds_no_room_is_counted_and_the_picked_process_is_shown():
    told = full_session(processes=40).told()
    lines = [''.join(text for text, _ in line) for line in
             top_layout.screen(told, 'live', '', View(pid=33, sort=4), 80, 24)]
    assert any('+36 more' in line for line in lines)
    assert any(line.lstrip().startswith('33 prog') for line in lines[2:8])


def test_a_class_that_falls_back_comes_first():
    session = full_session()
    session.tally.snapshot()
    for _ in range(9):
        session.tell(3, 'slab_active', 1, cls=3, stage='STAGE_1')
    session.tell(3, 'legacy_alloc', 1, cls=6, why='WHY_SHARED_FAIL')
    lines = [''.join(text for text, _ in line) for line in
             top_layout.screen(session.told(), 'live', '', View(), 80, 24)]
    heading = next(at for at, line in enumerate(lines) if line.startswith('CLASS'))
    assert [line[:2] for line in lines[heading + 1:heading + 3]] == ['C6', 'C3']


def test_a_hostile_name_cannot_move_the_cursor():
    told = full_session('a\x1b[2Jb\nc\t\x9b').told()
    lines = top_layout.screen(told, 'ended', 'x\x1by', View(), 80, 24)
    assert all(text.isprintable() for line in lines for text, _ in line)


def test_a_session_without_context_or_dump_is_shown_as_far_as_it_tells():
    session = Session('')
    session.tell(1, 'slab_active', 0, cls=6, stage='STAGE_1')
    session.tell(1, 'unheard_of', 0)
    lines = top_layout.screen(session.told(), 'live', '', View(), 80, 24)
    assert any('C6' in text for line in lines for text, _ in line)
