/* Slabs with nothing live come back through stage 1, however they became EMPTY. */
#include "scenario.h"

/* C7 blocks of two slabs, the first of them a SuperSlab's first. */
#define TWO_SLABS (31 + 32)

static void next_slab_comes_from_stage_1(void)
{
    struct hak_class_stats before = class_now(7), after;

    check_eq(before.active, 0);
    check_eq(before.listed, 2);
    fill_blocks(7, 0, TWO_SLABS);
    after = class_now(7);
    check_eq(after.acquires[HAK_STAGE_1], before.acquires[HAK_STAGE_1] + 2);
    check_eq(after.acquires[HAK_STAGE_3], before.acquires[HAK_STAGE_3]);
    check_eq(after.acquires[HAK_STAGE_2], before.acquires[HAK_STAGE_2]);
    check_eq(after.listed, 0);
    check_eq(after.active, 2);
    check_eq(after.peak, 2);
    check_eq(after.legacy_blocks + after.shared_fail, 0);
    free_blocks(7, 0, TWO_SLABS);
}

SCENARIO(after_a_drain_of_the_lists)
{
    fill_blocks(7, 0, TWO_SLABS);
    check_eq(class_now(7).acquires[HAK_STAGE_3], 1);
    check_eq(class_now(7).acquires[HAK_STAGE_2], 1);
    free_blocks(7, 0, TWO_SLABS);
    hak_drain();
    next_slab_comes_from_stage_1();
}

static void free_in_another_thread(void *unused)
{
    (void)unused;
    free_blocks(7, 0, TWO_SLABS);
    hak_drain();
}

SCENARIO(after_a_drain_of_the_remote_queues)
{
    fill_blocks(7, 0, TWO_SLABS);
    in_a_thread(free_in_another_thread, NULL);
    check_eq(class_now(7).active, 2);
    hak_drain();
    next_slab_comes_from_stage_1();
}

static void fill_and_free(void *unused)
{
    (void)unused;
    fill_blocks(7, 0, TWO_SLABS);
    free_blocks(7, 0, TWO_SLABS);
}

SCENARIO(after_a_thread_s_end)
{
    in_a_thread(fill_and_free, NULL);
    next_slab_comes_from_stage_1();
}

SCENARIO(again_and_again)
{
    fill_and_free(NULL);
    hak_drain();
    for (unsigned i = 0; i < 1000; i++) {
        next_slab_comes_from_stage_1();
        hak_drain();
    }
    check_eq(stats_now().superslabs[0], 1);
    check_eq(class_now(7).acquires[HAK_STAGE_1], 2000);
    check_eq(class_now(7).acquires[HAK_STAGE_3], 1);
}

SCENARIO(without_a_drain_by_hand)
{
    /* As programs are: the lists drain themselves at their limit of 32 blocks. */
    for (unsigned i = 0; i < 50; i++) {
        fill_blocks(7, 0, 500);
        free_blocks(7, 0, 500);
    }
    /* 500 blocks are 16 slabs; what waits in the list may keep two slabs from being EMPTY. */
    check(class_now(7).peak <= 18);
    check(class_now(7).active <= 3);
    check(class_now(7).acquires[HAK_STAGE_1] >= 49 * 13);
    check_eq(class_now(7).acquires[HAK_STAGE_3], stats_now().superslabs[0]);
    check(stats_now().superslabs[0] <= 3);
}

SCENARIO(in_every_class)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        struct hak_class_stats before;

        fill_blocks(c, 0, 100);
        free_blocks(c, 0, 100);
        hak_drain();
        before = class_now(c);
        check_eq(before.active, 0);
        check(before.listed >= 1);
        fill_blocks(c, 0, 100);
        check_eq(class_now(c).acquires[HAK_STAGE_1], before.acquires[HAK_STAGE_1] + before.listed);
        check_eq(class_now(c).acquires[HAK_STAGE_3], before.acquires[HAK_STAGE_3]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_drain_of_the_lists),
        cmocka_unit_test(after_a_drain_of_the_remote_queues),
        cmocka_unit_test(after_a_thread_s_end),
        cmocka_unit_test(again_and_again),
        cmocka_unit_test(without_a_drain_by_hand),
        cmocka_unit_test(in_every_class),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
