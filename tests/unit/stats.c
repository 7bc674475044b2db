/* The numbers for programs and the lines at exit. */
#include "stats.h"

#include <string.h>
#include <unistd.h>

#include "learn.h"
#include "process.h"
#include "scenario.h"

SCENARIO(a_process_that_did_nothing_has_nothing_but_strides_and_first_caps)
{
    struct hak_stats st, nothing = {0};

    memset(&st, 0xff, sizeof(st));
    hak_get_stats(&st);
    for (unsigned c = 0; c < CLASSES; c++) {
        nothing.cls[c].stride = geometry[c].stride;
        nothing.cls[c].cap = LEARN_CAP_MIN;
    }
    check_eq(memcmp(&st, &nothing, sizeof(st)), 0);
}

SCENARIO(every_number_is_what_was_done)
{
    struct hak_stats st;

    fill_blocks(7, 0, 256);
    hak_free(hak_malloc(3000));
    hak_free(hak_aligned_alloc(8192, 10));
    free_blocks(7, 0, 256);
    hak_drain();
    st = stats_now();
    check_eq(st.cls[7].active, 0);
    check_eq(st.cls[7].peak, 9);
    check_eq(st.cls[7].listed, 9);
    check_eq(st.cls[7].acquires[HAK_STAGE_3], 2);
    check_eq(st.cls[7].acquires[HAK_STAGE_2], 7);
    check_eq(st.superslabs[0], 2);
    check_eq(st.superslabs[1] + st.superslabs[2], 0);
    check_eq(st.mapped_bytes, 2 << 19);
    check_eq(st.mid.blocks, 0);
    check_eq(st.mid.used, 0);
    check(st.mid.peak >= 3072 + 8192);
    check_eq(st.mid.mapped, 4 << 20);
    check_eq(st.large.mapped + st.huge.mapped, 0);
    check_eq(st.system_large, 0);
    check_eq(st.system_other, 0);
    check_eq(st.lock_taken, 2);
    check_eq(st.lock_contended, 0);
    check_eq(st.threads_started, 1);
    check_eq(st.threads_ended, 0);
}

SCENARIO(the_stages_line_has_the_numbers_of_the_classes_in_use)
{
    process_init();
    config.stage_stats = 1;
    check_eq(hak_set_cap(7, 9), 0);
    fill_blocks(7, 0, 256);
    stats_print();
    check_eq(said_times("[SHARED_POOL_STAGE_STATS] cls=7 stride=2048 stage0.5=0 stage1=0 stage2=7 "
                        "adopt=0 rebind=0 stage3=2 shared_fail=0 legacy=0 active=9 peak=9 cap=9\n"),
             1);
    check_eq(said_times("\n"), 1);
    fill_blocks(1, 256, 257);
    stats_print();
    check_eq(said_times("\n"), 1 + 2);
    check_eq(said_times("[SHARED_POOL_LOCK_STATS]"), 0);
}

SCENARIO(the_lock_line_has_the_lock_s)
{
    process_init();
    config.lock_stats = 1;
    fill_blocks(7, 0, 256);
    stats_print();
    check_eq(said_times("[SHARED_POOL_LOCK_STATS] taken=2 contended=0 waited_ns=0 "
                        "waited_max_ns=0\n"),
             1);
    check_eq(said_times("\n"), 1);
}

SCENARIO(nothing_is_printed_that_nobody_asked_for)
{
    fill_blocks(7, 0, 256);
    stats_print();
    check_eq(said()[0], '\0');
}

SCENARIO(the_lines_come_although_the_program_closed_its_stderr)
{
    int kept = dup(STDERR_FILENO);

    process_init();
    config.stage_stats = 1;
    stats_begin();
    fill_blocks(7, 0, 1);
    close(STDERR_FILENO);
    stats_print();
    dup2(kept, STDERR_FILENO);
    check_eq(said_times("[SHARED_POOL_STAGE_STATS] cls=7 "), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_that_did_nothing_has_nothing_but_strides_and_first_caps),
        cmocka_unit_test(every_number_is_what_was_done),
        cmocka_unit_test(the_stages_line_has_the_numbers_of_the_classes_in_use),
        cmocka_unit_test(the_lock_line_has_the_lock_s),
        cmocka_unit_test(nothing_is_printed_that_nobody_asked_for),
        cmocka_unit_test(the_lines_come_although_the_program_closed_its_stderr),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
