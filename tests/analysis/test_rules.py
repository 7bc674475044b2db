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
def an_ended_thread_s_slab_is_looked_after(h):
    h.acquire()
    h.publish()
    h.exit(1, published=1)
    for _ in range(2):
        h.push()
        h.adopt(owner=2)
        h.collect(owner=2)
        h.publish(owner=2)
    h.push()
    h.adopt(owner=2)
    h.collect(owner=2)
    h.drop(owner=2)
    h.exit(2)


@case()
def looked_after_and_kept_until_the_thread_ends(h):
    """visit_kept"""
    h.acquire()
    h.publish()
    h.adopt(owner=2)
    h.collect(owner=2)
    h.exit(2)


@case()
def looked_after_and_kept_while_it_acquires(h):
    """visit_kept"""
    h.acquire()
    h.publish()
    h.adopt(owner=2)
    h.acquire(slab=2, owner=2)


@case()
def looked_after_and_refilled_from(h):
    """visit_used"""
    h.acquire()
    h.publish()
    h.adopt(owner=2)
    h.refill(owner=2)
    h.refill(owner=2)
    h.drop(owner=2)


@case()
def looked_after_by_two(h):
    """not_published"""
    h.acquire()
    h.publish()
    h.thread(3)
    h.adopt(owner=2)
    h.adopt(owner=3)
    h.drop(owner=3)


@case()
def looked_after_and_emptied_by_another(h):
    """not_owner"""
    h.acquire()
    h.publish()
    h.adopt(owner=2)
    h.empty(owner=1)


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
def an_address_is_mapped_within_another_superslab(h):
    """mapped_twice"""
    h.map(SS + (1 << 20), 16)


@case()
def a_larger_superslab_is_mapped_around_another(h):
    """mapped_twice"""
    h.map(SS + (5 << 20), 8)
    h.map(SS + (4 << 20), 32)


@case()
def superslabs_side_by_side(h):
    for at in (3, 2, 5, 4):
        h.map(SS + (at << 20), 16)
    h.map(SS - (1 << 19), 8)


@case()
def purged_and_used_again(h):
    h.acquire()
    h.drop()
    h.purge(1)
    h.acquire('STAGE_1', gen=2)
    h.drop(gen=2, listed=0)
    h.purge(1)
    h.acquire('STAGE_0_5', gen=3)
    h.drop(gen=3)
    h.purge(1)
    h.purge(1)
    h.acquire('REBIND', gen=4, cls=7, from_cls=6)


@case()
def a_slab_in_use_is_purged(h):
    """purged_in_use"""
    h.acquire(slab=1)
    h.drop(slab=1)
    h.acquire(slab=2)
    h.purge(1, 2)


@case()
def a_published_slab_is_purged(h):
    """purged_in_use"""
    h.acquire()
    h.publish()
    h.purge(1)


@case()
def a_slab_is_purged_before_its_release(h):
    """purged_in_use"""
    h.acquire()
    h.empty()
    h.purge(1)


@case()
def an_unused_slab_is_purged(h):
    """purged_in_use"""
    h.purge(5)


@case(slabs=8)
def a_slab_beyond_the_end_is_purged(h):
    """geometry"""
    h.acquire(slab=1)
    h.drop(slab=1)
    h.purge(1, 8)


@case()
def more_is_purged_than_there_is(h):
    """geometry"""
    h.acquire()
    h.drop()
    h.purge(1, size=65537)


@case()
def a_generation_begins_again_after_a_purge(h):
    """generation"""
    h.acquire()
    h.drop()
    h.purge(1)
    h.acquire('STAGE_1', gen=1)


@case()
def unmapped_and_another_mapped_there(h):
    for _ in range(3):
        h.acquire()
        h.drop()
        h.acquire('STAGE_1', gen=2)
        h.drop(gen=2, listed=0)
        h.purge(1)
        h.unmap()
        h.map()
    h.unmap()
    h.map(slabs=8)
    h.map(SS + (1 << 19), slabs=8)
    h.acquire()
    h.acquire(ss=SS + (1 << 19))


@case()
def the_legacy_backend_s_go_too(h):
    h.map(SS + (2 << 20), kind='LEGACY')
    h.refill(ss=SS + (2 << 20), owner=0xffffffff)
    h.unmap(SS + (2 << 20), kind='LEGACY')


@case()
def unmapped_with_a_slab_in_use(h):
    """unmapped_in_use"""
    h.acquire(slab=1)
    h.acquire(slab=2)
    h.drop(slab=1)
    h.unmap()


@case()
def unmapped_with_a_published_slab(h):
    """unmapped_in_use"""
    h.acquire()
    h.publish()
    h.unmap()


@case()
def unmapped_before_a_slab_s_release(h):
    """unmapped_in_use"""
    h.acquire()
    h.empty()
    h.unmap()


@case()
def unmapped_as_another_size(h):
    """geometry"""
    h.unmap(slabs=16)


@case()
def unmapped_as_the_legacy_backend_s(h):
    """geometry"""
    h.unmap(kind='LEGACY')


@case()
def unmapped_twice(h):
    """not_mapped"""
    h.unmap()
    h.unmap()


@case()
def unmapped_without_being_mapped(h):
    """not_mapped"""
    h.unmap(SS + (64 << 20))


@case()
def a_slab_of_an_unmapped_superslab(h):
    """not_mapped"""
    h.acquire()
    h.drop()
    h.unmap()
    h.acquire('STAGE_1', gen=2)
    h.refill(gen=2)


@case()
def pushed_after_the_unmap(h):
    """not_mapped"""
    h.acquire()
    h.drop()
    h.unmap()
    h.push()


@case()
def purged_after_the_unmap(h):
    """not_mapped"""
    h.acquire()
    h.drop()
    h.unmap()
    h.purge(1)


@case()
def an_earlier_mapping_s_generation_goes_on(h):
    """generation"""
    h.acquire()
    h.drop()
    h.unmap()
    h.map()
    h.acquire(gen=2)


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


ALL_REFUSED = {'count': 9, 'cls': 6, 'owner': 1, 'reason': 'FAIL_SOFT_CAP', 'o_0_5': 'NOTHING',
               'o_1': 'NOTHING', 'o_2': 'SOFT_CAP', 'o_adopt': 'NOTHING', 'o_rebind': 'SOFT_CAP',
               'o_3': 'SOFT_CAP'}


@case()
def a_storm_is_told_in_sums(h):
    h.fail()
    h.add('shared_fail_sum', **ALL_REFUSED)
    h.acquire()
    h.exit(1)
    h.add('shared_fail_sum', **ALL_REFUSED)


@case()
def refused_in_a_storm_though_a_stage_had_a_slab(h):
    """refused_with_hit"""
    h.add('shared_fail_sum', **{**ALL_REFUSED, 'o_2': 'HIT'})


@case()
def refused_in_a_storm_for_what_no_stage_said(h):
    """refused_reason"""
    h.add('shared_fail_sum', **{**ALL_REFUSED, 'reason': 'FAIL_MAP_FAIL'})


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


def many_active(h):
    """For longer than an event may be late."""
    for slab in range(1, 21):
        h.acquire(slab=slab)
    h.lines.append('sleep 300')


@case()
def a_cap_follows_demand(h):
    h.cap(24, demand=17, before=16)
    many_active(h)
    h.cap(36, demand=25, before=24)
    h.cap(20, 'CAP_IDLE', demand=14, before=36)
    h.cap(8, 'CAP_API', before=20)


@case()
def a_cap_falls_while_slabs_become_active(h):
    # What the tick saw may be a moment old.
    for slab in range(1, 21):
        h.acquire(slab=slab)
    h.cap(18, 'CAP_IDLE', demand=16, before=24)


@case()
def a_learned_cap_below_what_is_active(h):
    """cap_below_active"""
    many_active(h)
    h.cap(19, 'CAP_IDLE', demand=12, before=36)


@case()
def a_learned_cap_below_its_demand(h):
    """cap_below_demand"""
    h.cap(20, 'CAP_IDLE', demand=21, before=36)


@case()
def demand_lowers_a_cap(h):
    """cap_direction"""
    h.cap(16, demand=1, before=36)


@case()
def a_frozen_cap_is_learned(h):
    """cap_frozen"""
    h.cap(16, 'CAP_KNOB')
    h.cap(16, 'CAP_KNOB')
    h.lines.append('sleep 300')
    h.cap(24, demand=17, before=16)


@case()
def a_cap_that_the_program_set_is_learned(h):
    """cap_frozen"""
    h.cap(16, 'CAP_API')
    h.lines.append('sleep 300')
    h.cap(24, demand=17, before=16)


@case()
def sizes_follow_demand(h):
    h.size(19, 20)
    h.map(SS + (2 << 20), 16)
    h.map(SS + (4 << 20), 8)      # the system refused more
    h.map(SS + (6 << 20), 32, cls=3)
    h.size(20, 21)
    h.map(SS + (8 << 20), 16)     # begun before the size changed
    h.map(SS + (10 << 20), 32)
    h.size(21, 19, 'SIZE_MAP_FAIL')
    h.map(SS + (12 << 20), 8)
    h.map(SS + (14 << 20), 32, 'LEGACY')


@case()
def another_size_is_mapped_than_announced(h):
    """ss_size"""
    h.size(19, 20)
    h.map(SS + (2 << 20), 32)


@case()
def the_former_size_is_mapped_for_long(h):
    """ss_size"""
    h.size(20, 21)
    h.lines.append('sleep 300')
    h.map(SS + (2 << 20), 16)


@case()
def another_size_is_mapped_than_set(h):
    """ss_size"""
    h.add('config', key='HAKMEM_SS_LG', value='20', is_default=0)
    h.map(SS + (2 << 20), 32)


@case()
def a_size_grows_by_low_occupancy(h):
    """size_direction"""
    h.size(19, 20, 'SIZE_LOW_OCCUPANCY')


@case()
def a_size_that_there_is_not(h):
    """size_direction"""
    h.size(21, 22)


@case()
def regions_come_and_go(h):
    for _ in range(2):
        h.region('ace_map')
        h.region('ace_purge', SS + 4096, 8192)
        h.region('ace_unmap', mapped=0)
    h.region('ace_map', layer='HUGE')
    h.remap(SS, SS, 2 << 20, 4 << 20, 4 << 20)
    h.remap(SS, SS + (8 << 20), 4 << 20, 8 << 20, 8 << 20)
    h.region('ace_unmap', SS + (8 << 20), 8 << 20, 'HUGE', 0)


@case()
def a_huge_block_s_old_address_is_mapped_before_its_move_is_told(h):
    h.region('ace_map', layer='HUGE')
    h.region('ace_map', layer='HUGE', size=1 << 20)
    h.region('ace_unmap', layer='HUGE', size=1 << 20)
    h.region('ace_map', layer='LARGE')
    h.remap(SS, SS + (8 << 20), 2 << 20, 8 << 20, 8 << 20)
    h.region('ace_unmap', layer='LARGE')
    h.region('ace_unmap', SS + (8 << 20), 8 << 20, 'HUGE')


@case()
def a_region_is_mapped_twice(h):
    """region_mapped_twice"""
    h.region('ace_map')
    h.region('ace_map')


@case()
def a_region_is_unmapped_twice(h):
    """region_not_mapped"""
    h.region('ace_map')
    h.region('ace_unmap')
    h.region('ace_unmap')


@case()
def a_block_moves_that_is_not_mapped(h):
    """region_not_mapped"""
    h.remap(SS, SS + (8 << 20), 4 << 20, 8 << 20, 8 << 20)
    h.region('ace_unmap', SS + (8 << 20), 8 << 20, 'HUGE')


@case()
def a_region_is_unmapped_in_part(h):
    """region_size"""
    h.region('ace_map')
    h.region('ace_unmap', size=1 << 20)


@case()
def a_region_is_unmapped_by_another_layer(h):
    """region_size"""
    h.region('ace_map')
    h.region('ace_unmap', layer='LARGE')


@case()
def a_region_of_no_layer(h):
    """layer"""
    h.region('ace_map', layer='TINY')


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
