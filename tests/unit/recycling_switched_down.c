/* HAKMEM_SS_EMPTY_RECYCLE=off and mark bring the old failures back, and say what was lost. */
#include "process.h"
#include "scenario.h"
#include "witness.h"

#define PER_SS 255
#define FOUR_SLABS (31 + 3 * 32)

static void begin(enum recycle recycle)
{
    process_init();
    config.recycle = recycle;
    witness_begin();
}

static void four_slabs_freed(enum recycle recycle)
{
    begin(recycle);
    check_eq(hak_set_cap(7, 4), 0);
    fill_blocks(7, 0, FOUR_SLABS);
    free_blocks(7, 0, FOUR_SLABS);
    hak_drain();
}

SCENARIO(off_forgets_slabs_that_nothing_is_live_in)
{
    const struct hak_ev_shared_fail *fail;

    four_slabs_freed(RECYCLE_OFF);
    check_eq(class_now(7).active, 4);
    check_eq(class_now(7).unmarked, 3);
    check_eq(class_now(7).listed + class_now(7).marked, 0);
    /* The current slab still serves. */
    fill_blocks(7, 0, 32);
    check_eq(class_now(7).shared_fail, 0);
    fill_blocks(7, 32, 33);
    check_eq(class_now(7).shared_fail, 1);
    check_eq(ss_of(block[32])->kind, HAK_LEGACY);
    fail = &witness_nth(HAK_EV_shared_fail, 0)->shared_fail;
    check_eq(fail->reason, HAK_FAIL_SOFT_CAP);
    check_eq(fail->active, 4);
    check_eq(fail->cap, 4);
    check_eq(fail->unmarked, 3);
    check_eq(fail->marked + fail->listed + fail->beyond, 0);
    check_eq(witness_count(HAK_EV_slab_empty), 0);
    check_eq(said_times("listed=0 marked=0 beyond=0 unmarked=3"), 1);
}

SCENARIO(full_has_no_such_failure)
{
    four_slabs_freed(RECYCLE_FULL);
    fill_blocks(7, 0, FOUR_SLABS);
    check_eq(class_now(7).shared_fail, 0);
    check_eq(class_now(7).unmarked, 0);
    check_eq(witness_count(HAK_EV_slab_empty), 4);
}

SCENARIO(mark_within_the_scan_limit_has_no_such_failure)
{
    four_slabs_freed(RECYCLE_MARK);
    check_eq(class_now(7).active, 0);
    check_eq(class_now(7).marked, 4);
    fill_blocks(7, 0, FOUR_SLABS);
    check_eq(class_now(7).shared_fail, 0);
    check_eq(witness_count(HAK_EV_slab_release), 4);
    check_eq(witness_nth(HAK_EV_slab_release, 0)->slab_release.listed, 0);
}

SCENARIO(mark_with_forty_superslabs_fails_by_the_scan_limit)
{
    const struct hak_ev_shared_fail *fail;
    unsigned within = 16 * PER_SS;

    begin(RECYCLE_MARK);
    config.scan_limit = 16;
    fill_blocks(7, 0, 40 * PER_SS);
    check_eq(stats_now().superslabs[0], 40);
    free_blocks(7, 0, 40 * PER_SS);
    hak_drain();
    check_eq(class_now(7).marked, 320);
    /* Just what the first 16 SuperSlabs hold. */
    check_eq(hak_set_cap(7, 16 * 8), 0);
    fill_blocks(7, 0, within);
    check_eq(class_now(7).acquires[HAK_STAGE_0_5], 128);
    check_eq(class_now(7).shared_fail, 0);
    witness_forget();
    fill_blocks(7, within, within + 1);
    check_eq(class_now(7).shared_fail, 1);
    fail = &witness_nth(HAK_EV_shared_fail, 0)->shared_fail;
    check_eq(fail->reason, HAK_FAIL_SCAN_LIMIT);
    check_eq(fail->marked, 192);
    check_eq(fail->beyond, 192);
    check_eq(fail->unmarked + fail->listed, 0);
    check_eq(witness_nth(HAK_EV_acquire_stage, 0)->acquire_stage.outcome, HAK_SCAN_LIMIT);
    check_eq(witness_nth(HAK_EV_acquire_stage, 0)->acquire_stage.scanned, 16);
    check_eq(said_times("reason=\"scan limit\""), 1);
    /* What the report advises helps. */
    config.scan_limit = 64;
    check_eq(hak_set_cap(7, 320), 0);
    fill_blocks(7, within + 1, 2 * within);
    check_eq(class_now(7).shared_fail, 1);
    check_eq(class_now(7).acquires[HAK_STAGE_3], 40);
}

SCENARIO(mark_without_stage_0_5_fails_by_the_cap)
{
    const struct hak_ev_shared_fail *fail;

    begin(RECYCLE_MARK);
    config.empty_reuse = 0;
    fill_blocks(7, 0, PER_SS);
    free_blocks(7, 0, PER_SS);
    hak_drain();
    check_eq(hak_set_cap(7, 1), 0);
    fill_blocks(7, 0, PER_SS);
    fail = &witness_nth(HAK_EV_shared_fail, 0)->shared_fail;
    check_eq(fail->reason, HAK_FAIL_SOFT_CAP);
    check_eq(fail->marked, 8);
    check_eq(fail->beyond, 0);
}

static void free_all(void *count)
{
    free_blocks(7, 0, (unsigned)(uintptr_t)count);
}

SCENARIO(off_never_looks_at_what_other_threads_gave_back)
{
    begin(RECYCLE_OFF);
    fill_blocks(7, 0, PER_SS);
    in_a_thread(free_all, (void *)PER_SS);
    hak_drain();
    check_eq(class_now(7).active, 8);
    fill_blocks(7, 0, PER_SS);
    /* Only the current slab's queue was looked at. */
    check_eq(class_now(7).active, 15);
    check_eq(witness_count(HAK_EV_slab_empty), 0);
    check_eq(witness_count(HAK_EV_slab_publish), 0);
}

static void fill_four_slabs(void *unused)
{
    (void)unused;
    fill_blocks(7, 0, FOUR_SLABS);
    free_blocks(7, 0, FOUR_SLABS);
}

SCENARIO(off_keeps_the_slabs_of_ended_threads)
{
    begin(RECYCLE_OFF);
    for (unsigned i = 0; i < 10; i++)
        in_a_thread(fill_four_slabs, NULL);
    check_eq(witness_count(HAK_EV_slab_publish), 0);
    /* Each thread takes over its predecessor's current slab and forgets three. */
    check_eq(class_now(7).active, 4 + 9 * 3);
    check_eq(class_now(7).unmarked, 10 * 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_forgets_slabs_that_nothing_is_live_in),
        cmocka_unit_test(full_has_no_such_failure),
        cmocka_unit_test(mark_within_the_scan_limit_has_no_such_failure),
        cmocka_unit_test(mark_with_forty_superslabs_fails_by_the_scan_limit),
        cmocka_unit_test(mark_without_stage_0_5_fails_by_the_cap),
        cmocka_unit_test(off_never_looks_at_what_other_threads_gave_back),
        cmocka_unit_test(off_keeps_the_slabs_of_ended_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
