/* At its soft cap a class maps nothing more, and no request is lost to it. */
#include "scenario.h"
#include "witness.h"

/* Three C7 slabs of a fresh SuperSlab. */
#define CAP 3
#define BELOW_CAP (31 + 2 * 32)

static void begin(void)
{
    check_eq(hak_set_cap(7, CAP), 0);
    witness_begin();
    fill_blocks(7, 0, BELOW_CAP);
    check_eq(class_now(7).active, CAP);
    check_eq(class_now(7).shared_fail, 0);
}

static unsigned stage_refused_by_cap(enum hak_stage stage)
{
    unsigned n = 0;

    for (unsigned i = 0; i < witness_all(); i++) {
        const struct witnessed *w = witness_at(i);

        if (w->id == HAK_EV_acquire_stage && w->acquire_stage.stage == stage) {
            if (w->acquire_stage.outcome == HAK_SOFT_CAP)
                n++;
        }
    }
    return n;
}

SCENARIO(at_the_cap_nothing_is_mapped_and_the_block_is_legacy_s)
{
    begin();
    witness_forget();
    fill_blocks(7, BELOW_CAP, BELOW_CAP + 1);
    check_eq(class_now(7).acquires[HAK_STAGE_3], 1);
    check_eq(class_now(7).active, CAP);
    check_eq(class_now(7).peak, CAP);
    check_eq(class_now(7).shared_fail, 1);
    check_eq(class_now(7).legacy_blocks, 1);
    check_eq(ss_of(block[BELOW_CAP])->kind, HAK_LEGACY);
    check_eq(ss_of(block[0])->kind, HAK_POOL);
    /* Every stage that grows the class said why it did not. */
    check_eq(stage_refused_by_cap(HAK_STAGE_2), 1);
    check_eq(stage_refused_by_cap(HAK_REBIND), 1);
    check_eq(stage_refused_by_cap(HAK_STAGE_3), 1);
    check_eq(witness_count(HAK_EV_pool_lock), 0);
    check_eq(witness_count(HAK_EV_legacy_alloc), 1);
    check_eq(witness_nth(HAK_EV_legacy_alloc, 0)->legacy_alloc.why, HAK_WHY_SHARED_FAIL);
    check_eq(witness_nth(HAK_EV_legacy_alloc, 0)->legacy_alloc.base, (uintptr_t)block[BELOW_CAP]);
    check_eq(said_times("[SS_BACKEND] shared_fail→legacy cls=7 reason=\"soft cap\""), 1);
}

SCENARIO(shared_fail_tells_what_there_was)
{
    const struct hak_ev_shared_fail *fail;

    begin();
    fill_blocks(7, BELOW_CAP, BELOW_CAP + 1);
    fail = &witness_nth(HAK_EV_shared_fail, 0)->shared_fail;
    check_eq(fail->cls, 7);
    check_eq(fail->reason, HAK_FAIL_SOFT_CAP);
    check_eq(fail->active, CAP);
    check_eq(fail->cap, CAP);
    check_eq(fail->listed, 0);
    check_eq(fail->marked, 0);
    check_eq(fail->beyond, 0);
    check_eq(fail->unmarked, 0);
}

SCENARIO(nothing_is_lost_far_beyond_the_cap)
{
    begin();
    fill_blocks(7, BELOW_CAP, 4000);
    check_eq(class_now(7).legacy_blocks, 4000 - BELOW_CAP);
    check_eq(class_now(7).shared_fail, 4000 - BELOW_CAP);
    check_eq(class_now(7).active, CAP);
    free_blocks(7, 0, 4000);
    hak_drain();
    check_eq(class_now(7).active, 0);
    check_eq(stats_now().invalid_frees + stats_now().double_frees + stats_now().hdr_resets, 0);
    /* Eight lines, then one for every power of two: not four thousand. */
    check_eq(said_times("shared_fail→legacy"), 8 + 9);
}

SCENARIO(the_pool_serves_again_when_the_cap_is_raised)
{
    begin();
    fill_blocks(7, BELOW_CAP, BELOW_CAP + 1);
    check_eq(hak_set_cap(7, CAP + 1), 0);
    check_eq(witness_nth(HAK_EV_cap_change, 0)->cap_change.from, CAP);
    check_eq(witness_nth(HAK_EV_cap_change, 0)->cap_change.to, CAP + 1);
    fill_blocks(7, BELOW_CAP + 1, BELOW_CAP + 2);
    check_eq(ss_of(block[BELOW_CAP + 1])->kind, HAK_POOL);
    check_eq(class_now(7).legacy_blocks, 1);
    check_eq(class_now(7).active, CAP + 1);
    check_eq(hak_set_cap(7, 0), 0);
    fill_blocks(7, BELOW_CAP + 2, 1000);
    check_eq(class_now(7).legacy_blocks, 1);
    free_blocks(7, 0, 1000);
}

SCENARIO(the_pool_serves_again_when_slabs_became_empty)
{
    begin();
    free_blocks(7, 0, BELOW_CAP);
    hak_drain();
    fill_blocks(7, 0, BELOW_CAP);
    check_eq(class_now(7).shared_fail, 0);
    check_eq(class_now(7).acquires[HAK_STAGE_1], CAP);
}

SCENARIO(a_class_at_its_cap_is_no_matter_to_the_others)
{
    begin();
    fill_blocks(7, BELOW_CAP, BELOW_CAP + 10);
    fill_blocks(6, 1000, 3000);
    check_eq(class_now(6).shared_fail, 0);
    check_eq(class_now(6).legacy_blocks, 0);
}

static void fill_to_the_cap(void *number)
{
    unsigned from = (unsigned)(uintptr_t)number * 500;

    fill_blocks(7, from, from + 500);
}

SCENARIO(threads_share_a_cap)
{
    check_eq(hak_set_cap(7, CAP), 0);
    for (uintptr_t t = 0; t < 8; t++) {
        in_a_thread(fill_to_the_cap, (void *)t);
        check(class_now(7).active <= CAP);
    }
    check_eq(class_now(7).peak, CAP);
    free_blocks(7, 0, 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_the_cap_nothing_is_mapped_and_the_block_is_legacy_s),
        cmocka_unit_test(shared_fail_tells_what_there_was),
        cmocka_unit_test(nothing_is_lost_far_beyond_the_cap),
        cmocka_unit_test(the_pool_serves_again_when_the_cap_is_raised),
        cmocka_unit_test(the_pool_serves_again_when_slabs_became_empty),
        cmocka_unit_test(a_class_at_its_cap_is_no_matter_to_the_others),
        cmocka_unit_test(threads_share_a_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
