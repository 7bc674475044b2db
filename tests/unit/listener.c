/* Who listens: what a listener may do, and what it is told when. */
#include "listener.h"

#include <errno.h>
#include <string.h>

#include "config.h"
#include "os.h"
#include "scenario.h"
#include "tick.h"
#include "witness.h"

#define E(name, n) (&witness_nth(HAK_EV_##name, n)->name)

static void hold_one(void *unused)
{
    (void)unused;
    fill_blocks(4, 0, 1);
}

static unsigned nested;

static void allocate_inside(void)
{
    char *p = hak_malloc(1500), *q = hak_calloc(1, 20), *r = hak_malloc(4000);

    nested++;
    check(p && q && r);
    memset(p, 1, 1500);
    p = hak_realloc(p, 1900);
    check(p != NULL);
    errno = EXDEV;
    hak_free(p);
    hak_free(q);
    hak_free(r);
}

SCENARIO(a_listener_that_allocates_is_not_told_of_it_and_changes_nothing)
{
    unsigned told;
    uint64_t acquires[6];

    /* Once without, for comparison. */
    witness_begin();
    fill_blocks(4, 0, 2000);
    free_blocks(4, 0, 2000);
    hak_drain();
    fill_blocks(4, 0, 2000);
    free_blocks(4, 0, 2000);
    hak_drain();
    witness_forget();
    memcpy(acquires, class_now(4).acquires, sizeof(acquires));
    fill_blocks(4, 0, 2000);
    free_blocks(4, 0, 2000);
    hak_drain();
    told = witness_all();
    for (unsigned s = 0; s < 6; s++)
        acquires[s] = class_now(4).acquires[s] - acquires[s];
    witness_forget();
    witness_hook(allocate_inside);
    errno = ENOTTY;
    for (unsigned s = 0; s < 6; s++)
        acquires[s] += class_now(4).acquires[s];
    fill_blocks(4, 0, 2000);
    free_blocks(4, 0, 2000);
    hak_drain();
    check_eq(errno, ENOTTY);
    check_eq(witness_all(), told);
    check_eq(nested, told);
    for (unsigned s = 0; s < 6; s++)
        check_eq(class_now(4).acquires[s], acquires[s]);
    /* Nothing was acquired or failed for what the listener asked. */
    check_eq(class_now(class_of(1500)).active, 0);
    check_eq(class_now(class_of(1900)).shared_fail, 0);
    check_eq(stats_now().threads_started, 1);
    check_eq(stats_now().invalid_frees + stats_now().double_frees + stats_now().hdr_resets, 0);
}

SCENARIO(a_thread_that_ends_under_such_a_listener_ends_well)
{
    witness_begin();
    witness_hook(allocate_inside);
    for (unsigned i = 0; i < 50; i++)
        in_a_thread(hold_one, NULL);
    check_eq(stats_now().threads_started, 50);
    check_eq(witness_count(HAK_EV_thread_exit), 50);
}

SCENARIO(nobody_is_told_what_nobody_wants)
{
    witness_begin();
    for (unsigned id = 0; id < HAK_EVENTS; id++)
        witness_want((enum hak_event)id, false);
    fill_blocks(4, 0, 2000);
    free_blocks(4, 0, 2000);
    hak_drain();
    check_eq(witness_all(), 0);
    hak_trace_detach();
    check(!trace_attached());
    witness_want(HAK_EV_sll_refill, true);
    fill_blocks(4, 0, 1);
    check_eq(witness_all(), 0);
}

SCENARIO(a_session_that_begins_late_is_told_what_process_this_is)
{
    witness_begin();
    fill_blocks(4, 0, 100);
    check_eq(witness_count(HAK_EV_process_start), 0);
    witness_want(HAK_EV_process_start, true);
    fill_blocks(4, 100, 1000);
    check_eq(witness_count(HAK_EV_process_start), 1);
    check_eq(E(process_start, 0)->complete, 0);
    check_eq(E(process_start, 0)->again, 0);
    check_eq(strcmp(E(process_start, 0)->flavour, "unit"), 0);
    check(witness_count(HAK_EV_config) > 10);
}

SCENARIO(a_session_that_begins_beside_another_is_told_too)
{
    witness_begin();
    witness_want(HAK_EV_process_start, true);
    fill_blocks(4, 0, 1000);
    witness_forget();
    trace_poll();
    check_eq(witness_all(), 0);
    witness_join(HAK_EV_process_start);
    trace_poll();
    check_eq(witness_count(HAK_EV_process_start), 1);
    check_eq(E(process_start, 0)->again, 1);
    check(witness_count(HAK_EV_config) > 10);
}

/* And once more, for what is said before the session has started is lost. */
SCENARIO(a_session_that_begins_when_the_program_does_nothing_any_more_is_told_too)
{
    config.tick = 10;
    witness_begin();
    fill_blocks(4, 0, 1000);
    tick_allow();
    tick_begin();
    witness_want(HAK_EV_process_start, true);
    for (unsigned i = 0; i < 1000 && witness_count(HAK_EV_process_start) < 2; i++)
        os_sleep_ns(10000000);
    check(witness_count(HAK_EV_process_start) >= 2);
    check_eq(E(process_start, 0)->again, 0);
    check_eq(E(process_start, 1)->again, 1);
}

SCENARIO(a_tracer_that_is_not_there_is_one_line)
{
    check(!trace_attach(true, true));
    check_eq(said_times("hakmem: HAKMEM_TRACE=1 but the tracer cannot be loaded: "), 1);
    check_eq(said_times("\n"), 1);
    check(!trace_attach(true, false));
    check_eq(said_times("\n"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_that_allocates_is_not_told_of_it_and_changes_nothing),
        cmocka_unit_test(a_thread_that_ends_under_such_a_listener_ends_well),
        cmocka_unit_test(nobody_is_told_what_nobody_wants),
        cmocka_unit_test(a_session_that_begins_late_is_told_what_process_this_is),
        cmocka_unit_test(a_session_that_begins_beside_another_is_told_too),
        cmocka_unit_test(a_session_that_begins_when_the_program_does_nothing_any_more_is_told_too),
        cmocka_unit_test(a_tracer_that_is_not_there_is_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
