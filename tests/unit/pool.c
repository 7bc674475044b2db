/* The shared pool, asked directly: what it gives, takes back and counts. */
#include "pool.h"

#include <pthread.h>

#include "os.h"
#include "process.h"
#include "registry.h"
#include "scenario.h"
#include "unbound.h"
#include "witness.h"

static struct owner mine, theirs;

static void begin(void)
{
    process_init();
    owner_init(&mine, 1001);
    owner_init(&theirs, 1002);
}

static struct slab *acquire(unsigned cls)
{
    struct slab *s = pool_acquire(&mine, cls, geometry[cls].stride);

    if (s) {
        check(s->owner == &mine);
        check_eq(info_state(slab_info(s)), SLAB_ACTIVE);
        check_eq(slab_cls(s), cls);
        check_eq(s->used, 0);
        check(slab_has_block(s, cls));
    }
    return s;
}

SCENARIO(one_superslab_gives_its_slabs_in_order_before_another_is_mapped)
{
    struct superslab *ss = NULL;

    begin();
    for (unsigned no = 0; no < 8; no++) {
        struct slab *s = acquire(no);

        ss = ss ? ss : slab_ss(s);
        check(s == &ss->slab[no]);
        check_eq(s->gen, 1);
    }
    check_eq(stats_now().superslabs[0], 1);
    check(slab_ss(acquire(0)) != ss);
    check_eq(stats_now().superslabs[0], 2);
}

static _Atomic bool telling, want_more;

/* Inside the listener that hears of the first SuperSlab: not on before somebody else wants one. */
static void tell_slowly(void)
{
    if (stats_now().superslabs[0] != 1 || atomic_exchange(&telling, true))
        return;
    while (!atomic_load(&want_more))
        os_sleep_ns(100000);
    os_sleep_ns(1000000);
}

static void *acquire_too(void *unused)
{
    while (!atomic_load(&telling))
        os_sleep_ns(10000);
    atomic_store(&want_more, true);
    check(pool_acquire(&theirs, 0, 8) != NULL);
    return unused;
}

SCENARIO(whoever_comes_while_a_superslab_is_told_of_waits_for_its_slabs)
{
    pthread_t thread;

    begin();
    witness_begin();
    witness_hook(tell_slowly);
    check_eq(pthread_create(&thread, NULL, acquire_too, NULL), 0);
    check(acquire(0) != NULL);
    check_eq(pthread_join(thread, NULL), 0);
    check(atomic_load(&telling));
    check_eq(stats_now().superslabs[0], 1);
}

SCENARIO(superslabs_of_a_class_that_maps_often_grow_unless_the_size_is_fixed)
{
    struct hak_stats st;

    begin();
    config.ss_lg = 0;
    while (registry_count() < 10)
        check(acquire(3) != NULL);
    st = stats_now();
    check_eq(st.superslabs[0], 3);
    check_eq(st.superslabs[1], 3);
    check_eq(st.superslabs[2], 4);
    config.ss_lg = 20;
    while (registry_count() < 11)
        check(acquire(3) != NULL);
    check_eq(stats_now().superslabs[1], 4);
}

SCENARIO(a_released_slab_is_on_its_class_s_list_and_comes_back_in_a_next_life)
{
    struct slab *s, *again;

    begin();
    s = acquire(7);
    check_eq(class_now(7).active, 1);
    pool_release(&mine, s);
    check(s->owner == NULL);
    check_eq(info_state(slab_info(s)), SLAB_EMPTY_LISTED);
    check_eq(class_now(7).active, 0);
    check_eq(class_now(7).listed, 1);
    again = acquire(7);
    check(again == s);
    check_eq(s->gen, 2);
    check_eq(class_now(7).listed, 0);
    check_eq(class_now(7).acquires[HAK_STAGE_1], 1);
    check_eq(class_now(7).peak, 1);
}

SCENARIO(a_slab_marked_only_is_on_no_list_and_found_by_the_scan)
{
    struct slab *s;

    begin();
    config.recycle = RECYCLE_MARK;
    s = acquire(7);
    pool_release(&mine, s);
    check_eq(info_state(slab_info(s)), SLAB_EMPTY);
    check_eq(class_now(7).listed, 0);
    check_eq(class_now(7).marked, 1);
    /* Not what another class's scan looks for. */
    check(acquire(6) != s);
    check(acquire(7) == s);
    check_eq(class_now(7).acquires[HAK_STAGE_0_5], 1);
    check_eq(class_now(7).marked, 0);
}

SCENARIO(without_stage_0_5_a_marked_slab_is_not_found)
{
    struct slab *s;

    begin();
    config.recycle = RECYCLE_MARK;
    config.empty_reuse = 0;
    s = acquire(7);
    pool_release(&mine, s);
    check(acquire(7) != s);
    check_eq(class_now(7).acquires[HAK_STAGE_0_5], 0);
    check_eq(class_now(7).marked, 1);
}

SCENARIO(a_published_slab_is_adopted_as_it_is)
{
    struct slab *s;

    begin();
    check_eq(hak_set_cap(5, 1), 0);
    s = acquire(5);
    slab_set_info(s, info_make(5, SLAB_ACTIVE, 10));
    s->used = 10;
    atomic_fetch_or(&s->remote, REMOTE_UNOWNED);
    atomic_store(&s->owner, NULL);
    pool_publish(s);
    check(pool_acquire(&theirs, 5, 256) == s);
    check(s->owner == &theirs);
    check_eq(s->remote, 0);
    check_eq(s->gen, 1);
    check_eq(s->used, 10);
    check_eq(class_now(5).acquires[HAK_ADOPT], 1);
    /* It never ceased to be ACTIVE. */
    check_eq(class_now(5).active, 1);
}

SCENARIO(full_published_slabs_are_taken_over_on_the_way_to_one_with_room)
{
    struct slab *s[8];

    begin();
    for (unsigned i = 0; i < 8; i++) {
        s[i] = acquire(7);
        slab_set_info(s[i], info_make(7, SLAB_ACTIVE, slab_capacity(7, i) - (i == 2)));
        s[i]->used = (uint16_t)info_carved(slab_info(s[i]));
        atomic_fetch_or(&s[i]->remote, REMOTE_UNOWNED);
        atomic_store(&s[i]->owner, NULL);
        pool_publish(s[i]);
    }
    check(pool_acquire(&theirs, 7, 2048) == s[2]);
    for (unsigned i = 2; i < 8; i++)
        check(s[i]->owner == &theirs);
    /* The list is popped from its end: these two were not reached. */
    check(s[0]->owner == NULL && s[1]->owner == NULL);
}

static void fork_into_a_child(void)
{
    pool_fork(FORK_LOCK);
    pool_fork(FORK_CHILD);
}

/* Every slab of the first SuperSlab is found, by whoever looks for one of its class. */
static void all_eight_are_found(void)
{
    for (unsigned no = 0; no < 8; no++)
        check(slab_ss(acquire(6))->id == 1);
    check(slab_ss(acquire(6))->id == 2);
}

/* Slab 0 and 1 of class 6 are EMPTY, the others were never bound. */
static struct superslab *two_released(void)
{
    struct slab *a, *b;

    begin();
    a = acquire(6);
    b = acquire(6);
    pool_release(&mine, a);
    pool_release(&mine, b);
    return slab_ss(a);
}

SCENARIO(what_a_thread_that_was_not_forked_had_popped_is_found_in_the_child)
{
    struct superslab *ss = two_released();
    struct slab *claimed = acquire(6), *popped = acquire(6);

    check(slot_take(slot_of(claimed)));
    slab_set_info(claimed, info_make(6, SLAB_ACTIVE, 0));
    claimed->owner = NULL;
    check(slot_take(slot_of(popped)));
    slab_set_info(popped, info_make(6, SLAB_EMPTY_LISTED, 0));
    popped->owner = NULL;
    check_eq(unbound_take(ss), 0xfc);
    fork_into_a_child();
    all_eight_are_found();
}

SCENARIO(a_slab_on_its_way_to_the_list_when_the_process_forks_is_found_in_the_child)
{
    struct superslab *ss = two_released();
    struct slab *s = acquire(6);

    /* On the list, and not EMPTY yet; off the list, and about to be pushed. */
    atomic_store(&ss_info(ss)[1 - slab_no(s)], info_make(6, SLAB_PARKED, 0));
    s->owner = NULL;
    fork_into_a_child();
    all_eight_are_found();
}

SCENARIO(a_published_slab_that_an_adopter_had_popped_is_adopted_in_the_child)
{
    struct slab *s;

    begin();
    check_eq(hak_set_cap(5, 1), 0);
    s = acquire(5);
    slab_set_info(s, info_make(5, SLAB_ACTIVE, 10));
    slab_set_used(s, 10);
    s->owner = NULL;
    s->remote = REMOTE_UNOWNED;
    check(slot_take(slot_of(s)));
    fork_into_a_child();
    check(pool_acquire(&theirs, 5, 256) == s);
    check_eq(class_now(5).acquires[HAK_ADOPT], 1);
}

SCENARIO(an_empty_slab_of_another_class_is_bound_anew_when_nothing_else_is_left)
{
    struct slab *s[8];

    begin();
    for (unsigned i = 0; i < 8; i++)
        s[i] = acquire(7);
    pool_release(&mine, s[3]);
    check(acquire(4) == s[3]);
    check_eq(class_now(4).acquires[HAK_REBIND], 1);
    check_eq(class_now(4).active, 1);
    check_eq(class_now(7).active, 7);
    check_eq(class_now(7).listed, 0);
    check_eq(s[3]->gen, 2);
}

SCENARIO(a_cap_stops_growth_but_not_what_was_there)
{
    struct slab *s[2];

    begin();
    check_eq(hak_set_cap(7, 2), 0);
    s[0] = acquire(7);
    s[1] = acquire(7);
    check(acquire(7) == NULL);
    check_eq(class_now(7).shared_fail, 1);
    check_eq(class_now(7).active, 2);
    check_eq(class_now(7).peak, 2);
    pool_release(&mine, s[0]);
    check(acquire(7) == s[0]);
    /* Below what is ACTIVE already: nothing is taken away, nothing is added. */
    check_eq(hak_set_cap(7, 1), 0);
    check(acquire(7) == NULL);
    pool_release(&mine, s[1]);
    check(acquire(7) == s[1]);
    check_eq(hak_set_cap(7, 0), 0);
    check(acquire(7) != NULL);
    check_eq(class_now(7).cap, 0);
    check_eq(class_now(7).active, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_superslab_gives_its_slabs_in_order_before_another_is_mapped),
        cmocka_unit_test(whoever_comes_while_a_superslab_is_told_of_waits_for_its_slabs),
        cmocka_unit_test(superslabs_of_a_class_that_maps_often_grow_unless_the_size_is_fixed),
        cmocka_unit_test(a_released_slab_is_on_its_class_s_list_and_comes_back_in_a_next_life),
        cmocka_unit_test(a_slab_marked_only_is_on_no_list_and_found_by_the_scan),
        cmocka_unit_test(without_stage_0_5_a_marked_slab_is_not_found),
        cmocka_unit_test(a_published_slab_is_adopted_as_it_is),
        cmocka_unit_test(full_published_slabs_are_taken_over_on_the_way_to_one_with_room),
        cmocka_unit_test(what_a_thread_that_was_not_forked_had_popped_is_found_in_the_child),
        cmocka_unit_test(
            a_slab_on_its_way_to_the_list_when_the_process_forks_is_found_in_the_child),
        cmocka_unit_test(a_published_slab_that_an_adopter_had_popped_is_adopted_in_the_child),
        cmocka_unit_test(an_empty_slab_of_another_class_is_bound_anew_when_nothing_else_is_left),
        cmocka_unit_test(a_cap_stops_growth_but_not_what_was_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
