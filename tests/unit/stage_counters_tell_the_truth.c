/* Sequences whose stages are known exactly: in the counters, and in the events beside them. */
#include "process.h"
#include "scenario.h"
#include "witness.h"

/* C7 blocks of a SuperSlab of 512 KiB: 31 + 7 * 32, in 8 slabs. */
#define PER_SS 255

/* Slabs that each stage has served so far, in the order in which the stages are tried. */
static void stages_are(unsigned cls, uint64_t s0_5, uint64_t s1, uint64_t s2, uint64_t adopt,
                       uint64_t rebind, uint64_t s3)
{
    struct hak_class_stats st = class_now(cls);
    const uint64_t told[] = {st.acquires[HAK_STAGE_0_5], st.acquires[HAK_STAGE_1],
                             st.acquires[HAK_STAGE_2],   st.acquires[HAK_ADOPT],
                             st.acquires[HAK_REBIND],    st.acquires[HAK_STAGE_3]};
    uint64_t hits[6] = {0}, lives = 0;

    check_eq(told[0], s0_5);
    check_eq(told[1], s1);
    check_eq(told[2], s2);
    check_eq(told[3], adopt);
    check_eq(told[4], rebind);
    check_eq(told[5], s3);
    for (unsigned i = 0; i < witness_all(); i++) {
        const struct witnessed *w = witness_at(i);

        if (w->id == HAK_EV_acquire_stage && w->acquire_stage.cls == cls &&
            w->acquire_stage.outcome == HAK_HIT)
            hits[w->acquire_stage.stage]++;
        lives += w->id == HAK_EV_slab_active && w->slab_active.cls == cls;
    }
    for (unsigned s = 0; s < 6; s++)
        check_eq(hits[s], st.acquires[s]);
    check_eq(lives, s0_5 + s1 + s2 + rebind + s3);
}

static void begin(enum recycle recycle)
{
    process_init();
    config.recycle = recycle;
    witness_begin();
}

SCENARIO(a_superslab_is_one_3_and_then_2s_and_then_3_again)
{
    begin(RECYCLE_FULL);
    fill_blocks(7, 0, 1);
    stages_are(7, 0, 0, 0, 0, 0, 1);
    fill_blocks(7, 1, 31);
    stages_are(7, 0, 0, 0, 0, 0, 1);
    fill_blocks(7, 31, 32);
    stages_are(7, 0, 0, 1, 0, 0, 1);
    fill_blocks(7, 32, PER_SS);
    stages_are(7, 0, 0, 7, 0, 0, 1);
    fill_blocks(7, PER_SS, PER_SS + 1);
    stages_are(7, 0, 0, 7, 0, 0, 2);
    fill_blocks(7, PER_SS + 1, 3 * PER_SS);
    stages_are(7, 0, 0, 21, 0, 0, 3);
    check_eq(stats_now().superslabs[0], 3);
    check_eq(stats_now().lock_taken, 3);
}

SCENARIO(larger_superslabs_need_fewer_3s)
{
    begin(RECYCLE_FULL);
    config.ss_lg = 21;
    fill_blocks(7, 0, 1023);
    stages_are(7, 0, 0, 31, 0, 0, 1);
    fill_blocks(7, 1023, 1024);
    stages_are(7, 0, 0, 31, 0, 0, 2);
}

SCENARIO(the_stages_count_for_the_class_that_asked)
{
    begin(RECYCLE_FULL);
    for (unsigned c = 0; c < 8; c++)
        fill_blocks(c, c, c + 1);
    stages_are(0, 0, 0, 0, 0, 0, 1);
    for (unsigned c = 1; c < 8; c++)
        stages_are(c, 0, 0, 1, 0, 0, 0);
}

SCENARIO(listed_slabs_come_by_1)
{
    begin(RECYCLE_FULL);
    for (unsigned round = 0; round < 4; round++) {
        fill_blocks(7, 0, PER_SS);
        stages_are(7, 0, 8 * round, 7, 0, 0, 1);
        free_blocks(7, 0, PER_SS);
        hak_drain();
    }
}

SCENARIO(marked_slabs_come_by_0_5)
{
    begin(RECYCLE_MARK);
    for (unsigned round = 0; round < 4; round++) {
        fill_blocks(7, 0, PER_SS);
        stages_are(7, 8 * round, 0, 7, 0, 0, 1);
        free_blocks(7, 0, PER_SS);
        hak_drain();
        check_eq(class_now(7).marked, 8);
        check_eq(class_now(7).listed, 0);
    }
    /* Marked slabs are their class's: no other class is given them. */
    fill_blocks(6, 0, 1);
    stages_are(6, 0, 0, 0, 0, 0, 1);
}

SCENARIO(the_scan_ends_at_its_limit)
{
    begin(RECYCLE_MARK);
    config.scan_limit = 2;
    fill_blocks(7, 0, 4 * PER_SS);
    free_blocks(7, 0, 4 * PER_SS);
    hak_drain();
    check_eq(class_now(7).marked, 32);
    witness_forget();
    fill_blocks(7, 0, 2 * PER_SS);
    check_eq(class_now(7).acquires[HAK_STAGE_0_5], 16);
    check_eq(class_now(7).acquires[HAK_STAGE_3], 4);
    fill_blocks(7, 2 * PER_SS, 2 * PER_SS + 1);
    check_eq(class_now(7).acquires[HAK_STAGE_0_5], 16);
    check_eq(class_now(7).acquires[HAK_STAGE_3], 5);
    for (unsigned i = 0, n = 0; i < witness_all(); i++) {
        const struct hak_ev_acquire_stage *e = &witness_at(i)->acquire_stage;

        if (witness_at(i)->id != HAK_EV_acquire_stage || e->stage != HAK_STAGE_0_5)
            continue;
        check_eq(e->outcome, n < 16 ? HAK_HIT : HAK_SCAN_LIMIT);
        check_eq(e->scanned, n < 8 ? 1 : 2);
        n++;
    }
}

static void fill_some(void *count)
{
    fill_blocks(7, 0, (unsigned)(uintptr_t)count);
}

SCENARIO(what_an_ended_thread_left_comes_by_adopt)
{
    begin(RECYCLE_FULL);
    /* All slabs of the SuperSlab but the last block: 2 has nothing, adopt finds one with room. */
    in_a_thread(fill_some, (void *)(uintptr_t)(PER_SS - 1));
    fill_blocks(7, PER_SS, PER_SS + 1);
    stages_are(7, 0, 0, 7, 1, 0, 1);
    check_eq(witness_count(HAK_EV_slab_publish), 8);
    /* Full ones on the way were taken over as well. */
    check(witness_count(HAK_EV_slab_adopt) >= 1);
    check_eq(class_now(7).active, 8);
}

SCENARIO(adopt_comes_after_2_and_before_growth)
{
    begin(RECYCLE_FULL);
    in_a_thread(fill_some, (void *)1);
    fill_blocks(7, 1, 2);
    stages_are(7, 0, 0, 1, 0, 0, 1);
    /* At the cap 2 refuses, and adopt only brings back what was there. */
    check_eq(hak_set_cap(7, 2), 0);
    fill_blocks(7, 2, 2 + 31 + 1);
    stages_are(7, 0, 0, 1, 1, 0, 1);
}

SCENARIO(another_class_s_empty_slabs_come_by_rebind)
{
    begin(RECYCLE_FULL);
    fill_blocks(7, 0, PER_SS);
    free_blocks(7, 0, PER_SS);
    hak_drain();
    fill_blocks(6, 0, 1);
    stages_are(6, 0, 0, 0, 0, 1, 0);
    check_eq(witness_nth(HAK_EV_slab_active, 8)->slab_active.from_cls, 7);
    check_eq(witness_nth(HAK_EV_slab_active, 8)->slab_active.cls, 6);
    check_eq(class_now(7).listed, 7);
    /* All eight, of one C6 capacity or the other: 124 + 7 * 128. */
    fill_blocks(6, 1, 1020);
    stages_are(6, 0, 0, 0, 0, 8, 0);
    fill_blocks(6, 1020, 1021);
    stages_are(6, 0, 0, 0, 0, 8, 1);
    check_eq(class_now(7).listed, 0);
    stages_are(7, 0, 0, 7, 0, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_superslab_is_one_3_and_then_2s_and_then_3_again),
        cmocka_unit_test(larger_superslabs_need_fewer_3s),
        cmocka_unit_test(the_stages_count_for_the_class_that_asked),
        cmocka_unit_test(listed_slabs_come_by_1),
        cmocka_unit_test(marked_slabs_come_by_0_5),
        cmocka_unit_test(the_scan_ends_at_its_limit),
        cmocka_unit_test(what_an_ended_thread_left_comes_by_adopt),
        cmocka_unit_test(adopt_comes_after_2_and_before_growth),
        cmocka_unit_test(another_class_s_empty_slabs_come_by_rebind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
