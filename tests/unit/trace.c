/* The seam: one event a transition with the right fields, and the counters agree with it. */
#include "trace.h"

#include <string.h>
#include <sys/resource.h>

#include "listener.h"
#include "owner.h"
#include "process.h"
#include "scenario.h"
#include "tiny.h"
#include "witness.h"

#define E(name, n) (&witness_nth(HAK_EV_##name, n)->name)

SCENARIO(a_thread_s_first_block_tells_the_whole_story_in_order)
{
    static const enum hak_event order[] = {
        HAK_EV_thread_start,  HAK_EV_acquire_begin, HAK_EV_acquire_stage, HAK_EV_acquire_stage,
        HAK_EV_acquire_stage, HAK_EV_acquire_stage, HAK_EV_acquire_stage, HAK_EV_pool_lock,
        HAK_EV_superslab_map, HAK_EV_slab_active,   HAK_EV_acquire_stage, HAK_EV_sll_refill};
    static const enum hak_stage stages[] = {HAK_STAGE_0_5, HAK_STAGE_1, HAK_STAGE_2,
                                            HAK_ADOPT,     HAK_REBIND,  HAK_STAGE_3};
    uint64_t ss;

    witness_begin();
    fill_blocks(7, 0, 1);
    ss = (uintptr_t)ss_of(block[0]);
    check_eq(witness_all(), sizeof(order) / sizeof(order[0]));
    for (unsigned i = 0; i < witness_all(); i++)
        check_eq(witness_at(i)->id, order[i]);
    for (unsigned i = 0; i < 6; i++) {
        check_eq(E(acquire_stage, i)->stage, stages[i]);
        check_eq(E(acquire_stage, i)->cls, 7);
        check_eq(E(acquire_stage, i)->outcome, i == 5 ? HAK_HIT : HAK_NOTHING);
        check_eq(E(acquire_stage, i)->owner, E(thread_start, 0)->owner);
    }
    check(E(acquire_stage, 5)->ns > 0);
    check_eq(E(acquire_begin, 0)->active, 0);
    check_eq(E(superslab_map, 0)->ss, ss);
    check_eq(E(superslab_map, 0)->lg, 19);
    check_eq(E(superslab_map, 0)->slabs, 8);
    check_eq(E(superslab_map, 0)->kind, HAK_POOL);
    check_eq(E(superslab_map, 0)->cls, 7);
    check_eq(E(slab_active, 0)->ss, ss);
    check_eq(E(slab_active, 0)->slab, 0);
    check_eq(E(slab_active, 0)->gen, 1);
    check_eq(E(slab_active, 0)->stage, HAK_STAGE_3);
    check_eq(E(slab_active, 0)->capacity, 31);
    check_eq(E(slab_active, 0)->from_cls, 7);
    check_eq(E(sll_refill, 0)->from, HAK_CARVED);
    check_eq(E(sll_refill, 0)->taken, 4);
    check_eq(E(sll_refill, 0)->used, 4);
    check_eq(E(sll_refill, 0)->gen, 1);
}

SCENARIO(an_empty_slab_is_told_with_the_life_it_ends)
{
    fill_blocks(6, 0, 1);
    free_blocks(6, 0, 1);
    witness_begin();
    hak_drain();
    /* Emptied and released before the drain that did it is over. */
    check_eq(witness_all(), 3);
    check_eq(witness_at(0)->id, HAK_EV_slab_empty);
    check_eq(witness_at(1)->id, HAK_EV_slab_release);
    check_eq(witness_at(2)->id, HAK_EV_sll_drain);
    check_eq(E(slab_empty, 0)->gen, 1);
    check_eq(E(slab_empty, 0)->cls, 6);
    check_eq(E(slab_empty, 0)->owner, tls.owner->id);
    check_eq(E(slab_release, 0)->gen, 1);
    check_eq(E(slab_release, 0)->listed, 1);
    check_eq(E(sll_drain, 0)->own, 4);
    check_eq(E(sll_drain, 0)->remote, 0);
    check_eq(E(sll_drain, 0)->slabs, 1);
    fill_blocks(6, 0, 1);
    check_eq(E(slab_active, 0)->gen, 2);
    check_eq(E(slab_active, 0)->stage, HAK_STAGE_1);
    check_eq(E(sll_refill, 0)->from, HAK_FREELIST);
}

static void free_ten(void *unused)
{
    (void)unused;
    /* A thread begins with its first block. */
    hak_free(hak_malloc(1000));
    free_blocks(5, 0, 10);
    hak_drain();
}

SCENARIO(blocks_on_their_way_between_threads_are_told_twice)
{
    fill_blocks(5, 0, 20);
    witness_begin();
    in_a_thread(free_ten, NULL);
    check_eq(E(sll_drain, 0)->remote, 10);
    check_eq(E(sll_drain, 0)->own, 0);
    check_eq(witness_count(HAK_EV_remote_push), 1);
    check_eq(E(remote_push, 0)->blocks, 10);
    check_eq(E(remote_push, 0)->ss, (uintptr_t)ss_of(block[19]));
    check_eq(E(thread_exit, 0)->published, 0);
    check_eq(E(thread_exit, 0)->tid, E(thread_start, 0)->tid);
    hak_drain();
    check_eq(witness_count(HAK_EV_remote_drain), 1);
    check_eq(E(remote_drain, 0)->blocks, 10);
    check_eq(E(remote_drain, 0)->owner, tls.owner->id);
    check_eq(E(remote_drain, 0)->used, 10);
}

static void hold_one(void *unused)
{
    (void)unused;
    fill_blocks(4, 0, 1);
}

SCENARIO(a_slab_that_changes_hands_keeps_its_life)
{
    witness_begin();
    in_a_thread(hold_one, NULL);
    check_eq(E(slab_publish, 0)->used, 1);
    check_eq(E(thread_exit, 0)->published, 1);
    check_eq(hak_set_cap(4, 1), 0);
    check_eq(E(cap_change, 0)->why, HAK_CAP_API);
    fill_blocks(4, 1, 2);
    check_eq(E(slab_adopt, 0)->ss, E(slab_publish, 0)->ss);
    check_eq(E(slab_adopt, 0)->slab, E(slab_publish, 0)->slab);
    check_eq(E(slab_adopt, 0)->gen, E(slab_publish, 0)->gen);
    check_eq(E(slab_adopt, 0)->used, 1);
    check(E(slab_adopt, 0)->owner == tls.owner->id);
    check_eq(witness_count(HAK_EV_slab_active), 1);
}

SCENARIO(a_duration_is_told_to_whoever_listens_to_its_event_alone)
{
    void *p;

    witness_begin();
    for (unsigned id = 0; id < HAK_EVENTS; id++)
        witness_want(id, id == HAK_EV_ace_map || id == HAK_EV_ace_purge || id == HAK_EV_ace_remap);
    for (unsigned i = 0; i < 2; i++) {
        p = hak_malloc(i ? 100000 : 5000);
        memset(p, 1, 5000);
        hak_free(p);
    }
    p = hak_realloc(hak_malloc(3 << 20), 9 << 20);
    check(hak_malloc_trim(0));
    check_eq(witness_all(), witness_count(HAK_EV_ace_map) + witness_count(HAK_EV_ace_purge) +
                                witness_count(HAK_EV_ace_remap));
    check(witness_count(HAK_EV_ace_map) >= 3);
    for (unsigned i = 0; i < witness_count(HAK_EV_ace_map); i++)
        check(E(ace_map, i)->ns > 0);
    check(E(ace_purge, 0)->ns > 0);
    check(E(ace_remap, 0)->ns > 0);
    hak_free(p);
}

SCENARIO(every_operation_is_told_once_while_somebody_wants_it)
{
    void *p, *q;

    witness_begin();
    fill_blocks(3, 0, 300);
    check_eq(witness_count(HAK_EV_alloc), 0);
    witness_want(HAK_EV_alloc, true);
    witness_want(HAK_EV_free, true);
    /* Noticed at the next refill or drain. */
    free_blocks(3, 0, 300);
    witness_forget();
    p = hak_malloc(64);
    check_eq(E(alloc, 0)->ptr, (uintptr_t)p);
    check_eq(E(alloc, 0)->size, 64);
    check_eq(E(alloc, 0)->cls, 3);
    q = hak_malloc(10000);
    check_eq(E(alloc, 1)->ptr, (uintptr_t)q);
    check_eq(E(alloc, 1)->cls, 252);
    hak_free(p);
    check_eq(E(free, 0)->ptr, (uintptr_t)p);
    check_eq(E(free, 0)->cls, 3);
    hak_free(q);
    check_eq(E(free, 1)->cls, 252);
    p = hak_calloc(10, 10);
    p = hak_realloc(p, 110);
    p = hak_realloc(p, 1000);
    p = hak_realloc(p, 10000);
    p = hak_realloc(p, 20000);
    p = hak_realloc(p, 100);
    hak_free(p);
    hak_free(NULL);
    hak_free(hak_aligned_alloc(64, 64));
    hak_free(hak_aligned_alloc(8192, 64));
    check_eq(witness_count(HAK_EV_alloc), witness_count(HAK_EV_free));
    check_eq(witness_count(HAK_EV_alloc), 2 + 6 + 2);
    witness_want(HAK_EV_alloc, false);
    witness_want(HAK_EV_free, false);
    fill_blocks(3, 0, 600);
    free_blocks(3, 0, 600);
    witness_forget();
    hak_free(hak_malloc(64));
    check_eq(witness_all(), 0);
}

SCENARIO(what_the_system_s_malloc_served_is_told_as_its_own)
{
    struct rlimit none = {0, RLIM_INFINITY};
    void *p;

    witness_begin();
    witness_want(HAK_EV_alloc, true);
    witness_want(HAK_EV_free, true);
    process_init();
    config.use_superslab = 0;
    hak_free(hak_malloc(100));
    check_eq(E(free, 0)->cls, 255);
    check_eq(E(alloc, 0)->cls, 255);
    config.use_superslab = 1;
    /* No SuperSlab can be mapped; the C library has a little left. */
    check_eq(setrlimit(RLIMIT_AS, &none), 0);
    p = hak_malloc(100);
    check(p && !ss_of(p));
    hak_free(p);
    check_eq(E(free, 1)->cls, 255);
    check_eq(E(alloc, 1)->cls, 255);
    check_eq(witness_count(HAK_EV_alloc), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_s_first_block_tells_the_whole_story_in_order),
        cmocka_unit_test(an_empty_slab_is_told_with_the_life_it_ends),
        cmocka_unit_test(blocks_on_their_way_between_threads_are_told_twice),
        cmocka_unit_test(a_slab_that_changes_hands_keeps_its_life),
        cmocka_unit_test(a_duration_is_told_to_whoever_listens_to_its_event_alone),
        cmocka_unit_test(every_operation_is_told_once_while_somebody_wants_it),
        cmocka_unit_test(what_the_system_s_malloc_served_is_told_as_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
