"""Every rule of the state machine: a history that breaks it is pointed at, and only it.

All histories are recorded in one session, each by a process of its own that uses the same
addresses as the others: what one does wrong must not be held against another.
"""

import sqlite3
from collections import defaultdict
from contextlib import closing

import pytest
from history import SS, ready
from recorder import hak


# name -> (script, rule it breaks; None if it is right)
CASES: dict = {}


def case(slabs: int = 32):
    """A function that goes on with a process that is ready. Its docstring: the rule it breaks."""
    def register(function):
        made = ready(slabs)
        function(made)
        CASES[function.__name__] = (made.text(), function.__doc__)
        return function
    return register


@case()
def a_life_after_the_other(h):
    h.acquire('STAGE_2')
    h.refill()
    h.push()
    h.collect()
    h.drop()
    h.acquire('STAGE_1', gen=2)
    h.drop(gen=2, listed=0)
    h.acquire('STAGE_0_5', gen=3)
    h.drop(gen=3)
    h.acquire('REBIND', gen=4, cls=7, from_cls=6)
    h.drop(gen=4, cls=7)
    h.acquire('STAGE_1', gen=5, cls=7)


@case()
def stage_3_maps_what_it_gives(h):
    h.begin()
    h.refuse('STAGE_3')
    h.map(SS + (2 << 20))
    h.active('STAGE_3', slab=0, ss=SS + (2 << 20))
    h.stage('STAGE_3', 'HIT')


@case()
def stage_3_finds_what_another_has_mapped(h):
    h.acquire('STAGE_3', slab=4)


@case()
def all_refuse(h):
    h.fail()
    h.acquire()


@case()
def adopted_full_on_the_way_and_nothing_found(h):
    h.acquire()
    h.publish()
    h.exit(1, published=1)
    h.begin(owner=2)
    h.refuse('ADOPT', owner=2)
    h.adopt(owner=2)
    h.stage('ADOPT', 'NOTHING', owner=2)
    h.stage('REBIND', 'NOTHING', owner=2)
    h.active('STAGE_3', slab=2, owner=2)
    h.stage('STAGE_3', 'HIT', owner=2)
    h.refill(owner=2)


@case()
def others_push_while_it_is_published(h):
    h.acquire()
    h.publish()
    h.push()
    h.exit(1, published=1)
    h.thread(1, 555)
    h.begin(owner=1)
    h.refuse('ADOPT')
    h.adopt()
    h.stage('ADOPT', 'HIT')
    h.collect()
    h.drop()


@case()
def the_legacy_backend_has_no_lives(h):
    h.map(SS + (2 << 20), kind='LEGACY')
    h.refill(ss=SS + (2 << 20), owner=0xffffffff)
    h.push(ss=SS + (2 << 20))
    h.collect(ss=SS + (2 << 20), owner=0xffffffff)


@case()
def two_owners_at_once(h):
    h.begin(owner=1)
    h.begin(owner=2, cls=3)
    h.refuse('STAGE_2', owner=1)
    h.refuse('STAGE_2', owner=2, cls=3)
    h.active('STAGE_2', 1, owner=1)
    h.active('STAGE_2', 2, owner=2, cls=3)
    h.stage('STAGE_2', 'HIT', owner=2, cls=3)
    h.stage('STAGE_2', 'HIT', owner=1)


@case()
def acquired_by_two(h):
    """acquired_twice"""
    h.acquire()
    h.acquire(owner=2, gen=2)


@case()
def a_published_slab_is_acquired(h):
    """acquired_twice"""
    h.acquire()
    h.publish()
    h.acquire('STAGE_1', gen=2, owner=2)


@case()
def a_generation_is_left_out(h):
    """generation"""
    h.acquire()
    h.drop()
    h.acquire('STAGE_1', gen=3)


@case()
def a_generation_comes_again(h):
    """generation"""
    h.acquire()
    h.drop()
    h.acquire('STAGE_1', gen=1)


@case()
def the_first_generation_is_not_1(h):
    """generation"""
    h.acquire(gen=2)


@case()
def emptied_in_another_generation(h):
    """generation"""
    h.acquire()
    h.drop()
    h.acquire('STAGE_1', gen=2)
    h.empty(gen=1)


@case()
def refilled_from_an_earlier_life(h):
    """generation"""
    h.acquire()
    h.drop()
    h.acquire('STAGE_1', gen=2)
    h.refill(gen=1)


@case()
def pushed_to_a_later_life(h):
    """generation"""
    h.acquire()
    h.push(gen=2)


@case()
def stage_1_gives_an_unlisted_slab(h):
    """stage_source"""
    h.acquire()
    h.drop(listed=0)
    h.acquire('STAGE_1', gen=2)


@case()
def stage_0_5_gives_a_listed_slab(h):
    """stage_source"""
    h.acquire()
    h.drop()
    h.acquire('STAGE_0_5', gen=2)


@case()
def stage_1_gives_a_slab_of_another_class(h):
    """stage_source"""
    h.acquire()
    h.drop()
    h.acquire('STAGE_1', gen=2, cls=7, from_cls=6)


@case()
def rebind_gives_a_slab_of_the_same_class(h):
    """stage_source"""
    h.acquire()
    h.drop()
    h.acquire('REBIND', gen=2)


@case()
def rebind_gives_an_unlisted_slab(h):
    """stage_source"""
    h.acquire()
    h.drop(listed=0)
    h.acquire('REBIND', gen=2, cls=7, from_cls=6)


@case()
def stage_2_gives_a_used_slab(h):
    """stage_source"""
    h.acquire()
    h.drop()
    h.acquire('STAGE_2', gen=2)


@case()
def stage_1_gives_an_unused_slab(h):
    """stage_source"""
    h.acquire('STAGE_1')


@case()
def rebind_from_a_class_it_never_was(h):
    """bound_class"""
    h.acquire()
    h.drop()
    h.acquire('REBIND', gen=2, cls=7, from_cls=5)


@case()
def an_unused_slab_was_of_another_class(h):
    """bound_class"""
    h.acquire(from_cls=3)


@case()
def acquired_before_it_was_released(h):
    """not_released"""
    h.acquire()
    h.empty()
    h.acquire('STAGE_1', gen=2)


@case()
def released_while_active(h):
    """not_empty"""
    h.acquire()
    h.release()


@case()
def released_twice(h):
    """not_empty"""
    h.acquire()
    h.drop()
    h.release()


@case()
def released_as_another_class(h):
    """class"""
    h.acquire()
    h.empty()
    h.release(cls=7)


@case()
def emptied_twice(h):
    """not_active"""
    h.acquire()
    h.drop()
    h.empty()


@case()
def emptied_by_another(h):
    """not_owner"""
    h.acquire()
    h.empty(owner=2)


@case()
def emptied_while_published(h):
    """not_active"""
    h.acquire()
    h.publish()
    h.empty()


@case()
def emptied_as_another_class(h):
    """class"""
    h.acquire()
    h.empty(cls=5)


@case()
def published_by_another(h):
    """not_owner"""
    h.acquire()
    h.publish(owner=2)


@case()
def published_twice(h):
    """not_active"""
    h.acquire()
    h.publish()
    h.publish()


@case()
def adopted_without_being_published(h):
    """not_published"""
    h.acquire()
    h.begin(owner=2)
    h.refuse('ADOPT', owner=2)
    h.adopt(owner=2)


@case()
def adopted_outside_an_acquire(h):
    """no_acquire"""
    h.acquire()
    h.publish()
    h.adopt(owner=2)


@case()
def refilled_by_another(h):
    """not_owner"""
    h.acquire()
    h.refill(owner=2)


@case()
def refilled_while_empty(h):
    """not_active"""
    h.acquire()
    h.drop()
    h.refill()


@case()
def refilled_before_it_was_ever_bound(h):
    """not_active"""
    h.refill(slab=9)


@case()
def pushed_while_empty(h):
    """not_active"""
    h.acquire()
    h.drop()
    h.push()


@case()
def collected_by_another(h):
    """not_owner"""
    h.acquire()
    h.collect(owner=2)


@case()
def refilled_as_another_class(h):
    """class"""
    h.acquire()
    h.refill(cls=2)


@case()
def an_address_is_mapped_twice(h):
    """mapped_twice"""
    h.map()


@case()
def a_slab_of_a_superslab_that_is_not_mapped(h):
    """not_mapped"""
    h.acquire(ss=SS + (64 << 20))


@case(slabs=8)
def a_slab_beyond_the_end(h):
    """geometry"""
    h.acquire(slab=8)


@case()
def a_superslab_that_is_not_aligned(h):
    """geometry"""
    h.map(SS + 4096)


@case()
def a_class_that_does_not_exist(h):
    """class"""
    h.begin()
    h.refuse('STAGE_2')
    h.active('STAGE_2', cls=16)


@case()
def a_legacy_slab_has_a_life(h):
    """legacy_slab"""
    h.map(SS + (2 << 20), kind='LEGACY')
    h.acquire(ss=SS + (2 << 20))


@case()
def a_stage_is_left_out(h):
    """stage_order"""
    h.begin()
    h.stage('STAGE_0_5', 'NOTHING')
    h.active('STAGE_2')


@case()
def stages_in_another_order(h):
    """stage_order"""
    h.begin()
    h.stage('STAGE_1', 'NOTHING')
    h.stage('STAGE_0_5', 'NOTHING')


@case()
def refused_before_all_stages_were_asked(h):
    """stage_order"""
    h.begin()
    h.refuse('STAGE_3')
    h.add('shared_fail', cls=6, owner=1, reason='FAIL_SOFT_CAP')


@case()
def refused_without_asking(h):
    """no_acquire"""
    h.add('shared_fail', cls=6, owner=1, reason='FAIL_SOFT_CAP')


@case()
def a_stage_without_a_beginning(h):
    """no_acquire"""
    h.stage('STAGE_0_5', 'NOTHING')


@case()
def a_slab_outside_an_acquire(h):
    """no_acquire"""
    h.active('STAGE_2')


@case()
def a_hit_without_a_slab(h):
    """hit_without_slab"""
    h.begin()
    h.refuse('STAGE_2')
    h.stage('STAGE_2', 'HIT')


@case()
def an_adoption_without_a_slab(h):
    """hit_without_slab"""
    h.begin()
    h.refuse('ADOPT')
    h.stage('ADOPT', 'HIT')


@case()
def a_slab_without_a_hit(h):
    """slab_without_hit"""
    h.begin()
    h.refuse('STAGE_2')
    h.active('STAGE_2')
    h.stage('STAGE_2', 'NOTHING')


@case()
def two_slabs_for_one_hit(h):
    """two_slabs"""
    h.begin()
    h.refuse('STAGE_2')
    h.active('STAGE_2', 1)
    h.active('STAGE_2', 2)


@case()
def an_acquire_within_another(h):
    """acquire_nested"""
    h.begin()
    h.begin(cls=3)


@case()
def the_class_changes_on_the_way(h):
    """acquire_class"""
    h.begin()
    h.stage('STAGE_0_5', 'NOTHING', cls=5)


@case()
def an_owner_without_a_thread(h):
    """no_thread"""
    h.acquire(owner=9)


@case()
def an_owner_after_its_thread(h):
    """no_thread"""
    h.exit(1)
    h.acquire(owner=1)


@case()
def an_owner_of_two_threads(h):
    """owner_in_use"""
    h.thread(1, 999)


@case()
def a_thread_ends_in_an_acquire(h):
    """exit_in_acquire"""
    h.begin()
    h.exit(1)


@case()
def another_thread_ends(h):
    """thread"""
    h.exit(1, tid=7)


@case()
def fewer_published_than_the_thread_says(h):
    """published_count"""
    h.acquire()
    h.publish()
    h.exit(1, published=2)


@pytest.fixture(scope='module')
def broken(lttng_recorder, tmp_path_factory):
    """name -> rows of the table violation, in the order of time."""
    trace = tmp_path_factory.mktemp('rules') / 'trace'
    with lttng_recorder.session(trace) as emit:
        names = {emit(script): name for name, (script, _) in CASES.items()}
    database = trace.with_name('db')
    assert hak('verify', trace, '--db', database).code == 1
    rows = defaultdict(list)
    with closing(sqlite3.connect(database)) as db:
        db.row_factory = sqlite3.Row
        for row in db.execute('SELECT v.*, p.pid FROM violation v JOIN process p USING (proc) '
                              'ORDER BY time'):
            rows[names[row['pid']]].append(dict(row))
    return rows


@pytest.mark.parametrize('name', CASES)
def test_what_breaks_a_rule_is_pointed_at(broken, name):
    rows, rule = broken[name], CASES[name][1]
    assert {row['rule'] for row in rows} == ({rule} if rule else set()), rows
    # Two stages that have changed places are two stages in the wrong place.
    assert len(rows) == (2 if name == 'stages_in_another_order' else bool(rule)), rows
    for row in rows:
        assert not row['explained'] and row['expected']
        assert row['seen'].split()[0] in CASES[name][0]


def test_a_counterexample_shows_the_events_around(record):
    h = ready()
    h.acquire()
    h.drop()
    h.acquire('STAGE_1', gen=3)
    result = hak('verify', record(h.text()))
    assert result.code == 1
    lines = result.out.splitlines()
    assert '1 violation in' in lines[0] and 'generation 1' in lines[0]
    assert any(line.strip().startswith('seen') and 'slab_active' in line for line in lines)
    assert '  expected  gen=2' in lines
    assert any('previous  slab_release' in line for line in lines)
    marked = [line for line in lines if line.startswith('  > ')]
    assert len(marked) == 1 and 'slab_active' in marked[0] and 'gen=3' in marked[0]
    assert any('slab_empty' in line for line in lines)


def test_after_a_violation_what_was_seen_counts(record):
    """One wrong event is one violation, however long the slab lives on."""
    h = ready()
    h.acquire()
    h.drop()
    h.acquire('STAGE_1', gen=9)
    for gen in range(9, 40):
        h.refill(gen=gen)
        h.drop(gen=gen)
        h.acquire('STAGE_1', gen=gen + 1)
    result = hak('verify', record(h.text()))
    assert result.code == 1
    assert result.out.startswith('1 violation in')
