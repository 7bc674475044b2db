/* The tags people grep for: one line a transition, and none where nobody asked. */
#include "process.h"
#include "scenario.h"

#define PER_SS 255

SCENARIO(every_stage_that_serves_has_its_tag)
{
    process_init();
    config.log_acquire = 1;
    fill_blocks(7, 0, PER_SS);
    check_eq(said_times("[SP_ACQUIRE_STAGE3] cls=7 "), 1);
    check_eq(said_times("[SP_ACQUIRE_STAGE2_LOCKFREE] cls=7 "), 7);
    free_blocks(7, 0, PER_SS);
    hak_drain();
    fill_blocks(7, 0, 1);
    check_eq(said_times("[SP_ACQUIRE_STAGE1_LOCKFREE] cls=7 "), 1);
    fill_blocks(6, 1, 2);
    check_eq(said_times("[SP_ACQUIRE_STAGE_REBIND] cls=6 "), 1);
    config.recycle = RECYCLE_MARK;
    free_blocks(7, 0, 1);
    hak_drain();
    config.recycle = RECYCLE_FULL;
    fill_blocks(7, 0, 1);
    check_eq(said_times("[SP_ACQUIRE_STAGE0.5_EMPTY] cls=7 "), 1);
    check_eq(said_times("\n"), 11);
}

static void hold_one(void *unused)
{
    (void)unused;
    fill_blocks(5, 0, 1);
}

SCENARIO(adoption_has_its_tag)
{
    process_init();
    config.log_acquire = 1;
    check_eq(hak_set_cap(5, 1), 0);
    in_a_thread(hold_one, NULL);
    fill_blocks(5, 1, 2);
    check_eq(said_times("[SP_ACQUIRE_STAGE_ADOPT] cls=5 "), 1);
}

SCENARIO(a_slab_s_end_has_two_tags_when_it_is_listed)
{
    process_init();
    config.log_free = 1;
    fill_blocks(7, 0, PER_SS);
    free_blocks(7, 0, PER_SS);
    hak_drain();
    check_eq(said_times("[SP_SLOT_COMPLETELY_EMPTY] ss=0x"), 8);
    check_eq(said_times("[SP_SLOT_FREELIST_LOCKFREE] ss=0x"), 8);
    check_eq(said_times(" gen=1 cls=7\n"), 16);
}

SCENARIO(a_slab_that_is_only_marked_has_one)
{
    process_init();
    config.log_free = 1;
    config.recycle = RECYCLE_MARK;
    fill_blocks(7, 0, PER_SS);
    free_blocks(7, 0, PER_SS);
    hak_drain();
    check_eq(said_times("[SP_SLOT_COMPLETELY_EMPTY] ss=0x"), 8);
    check_eq(said_times("[SP_SLOT_FREELIST_LOCKFREE]"), 0);
}

SCENARIO(superslabs_and_the_registry_have_their_own_knobs)
{
    process_init();
    fill_blocks(7, 0, 1);
    config.log_map = 1;
    fill_blocks(7, 1, PER_SS + 1);
    check_eq(said_times("[SS_MAP] ss=0x"), 1);
    check_eq(said_times("size=524288 slabs=8 kind=pool cls=7\n"), 1);
    check_eq(said_times("[SUPER_REG]"), 0);
    config.log_map = 0;
    config.log_registry = 1;
    fill_blocks(7, PER_SS + 1, 2 * PER_SS + 1);
    check_eq(said_times("[SS_MAP]"), 1);
    check_eq(said_times("[SUPER_REG] ss=0x"), 1);
    /* Legacy SuperSlabs are in no registry. */
    check_eq(hak_set_cap(6, 1), 0);
    config.log_map = 1;
    fill_blocks(6, 3000, 3000 + 129);
    check_eq(said_times("kind=legacy cls=6\n"), 1);
    check_eq(said_times("[SUPER_REG]"), 1);
}

SCENARIO(an_ordinary_process_says_nothing)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        fill_blocks(c, 0, 1000);
        free_blocks(c, 0, 1000);
        hak_drain();
    }
    check_eq(said()[0], '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stage_that_serves_has_its_tag),
        cmocka_unit_test(adoption_has_its_tag),
        cmocka_unit_test(a_slab_s_end_has_two_tags_when_it_is_listed),
        cmocka_unit_test(a_slab_that_is_only_marked_has_one),
        cmocka_unit_test(superslabs_and_the_registry_have_their_own_knobs),
        cmocka_unit_test(an_ordinary_process_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
