/* Storms of refusals are told in sums: nothing twice, nothing left out. What follows upon them. */
#include "storm.h"

#include <sys/wait.h>
#include <unistd.h>

#include "aftermath.h"
#include "os.h"
#include "owner.h"
#include "process.h"
#include "scenario.h"
#include "tiny.h"
#include "witness.h"

#define E(name, n) (&witness_nth(HAK_EV_##name, n)->name)
#define SINGLY 10u
#define EACH 2000u
#define THREADS 4u
#define NUMBER_OF(name) witness_count(HAK_EV_##name)

static void begin(void)
{
    process_init();
    config.ss_lg = 19;
    config.tell_singly = SINGLY;
    witness_begin();
    hak_set_cap(7, 1);
}

static uint64_t refused(void)
{
    uint64_t count = NUMBER_OF(shared_fail);

    for (unsigned i = 0; i < NUMBER_OF(shared_fail_sum); i++)
        count += E(shared_fail_sum, i)->count;
    return count;
}

/* How often stage 3 was asked of which it is told. */
static uint64_t asked(void)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < NUMBER_OF(acquire_stage); i++)
        count += E(acquire_stage, i)->stage == HAK_STAGE_3;
    for (unsigned i = 0; i < NUMBER_OF(shared_fail_sum); i++)
        count += E(shared_fail_sum, i)->count;
    return count;
}

static uint64_t legacy_blocks(void)
{
    uint64_t count = NUMBER_OF(legacy_alloc);

    for (unsigned i = 0; i < NUMBER_OF(legacy_alloc_sum); i++)
        count += E(legacy_alloc_sum, i)->count;
    return count;
}

SCENARIO(refusals_beyond_the_first_are_added_up)
{
    begin();
    fill_blocks(7, 0, EACH);
    storm_tell(true);
    check(NUMBER_OF(shared_fail) >= SINGLY);
    check(NUMBER_OF(shared_fail) < EACH / 4);
    check(NUMBER_OF(shared_fail_sum) >= 1);
    check_eq(refused(), class_now(7).shared_fail);
    check_eq(legacy_blocks(), class_now(7).legacy_blocks);
    check_eq(E(shared_fail_sum, 0)->cls, 7);
    check_eq(E(shared_fail_sum, 0)->owner, tls.owner->id);
    check_eq(E(shared_fail_sum, 0)->o_3, HAK_SOFT_CAP);
    check(E(shared_fail_sum, 0)->first_ago >= E(shared_fail_sum, 0)->last_ago);
    free_blocks(7, 0, EACH);
}

SCENARIO(steps_that_wait_come_before_what_the_acquire_gets)
{
    begin();
    fill_blocks(7, 0, EACH);
    storm_tell(true);
    witness_forget();
    hak_set_cap(7, 1000);
    fill_blocks(7, EACH, EACH + 400);
    check(NUMBER_OF(slab_active) > 1);
    for (unsigned i = 0, open = 0; i < witness_all(); i++) {
        enum hak_event id = witness_at(i)->id;

        if (id == HAK_EV_acquire_begin)
            open = 1;
        else if (id == HAK_EV_slab_active)
            check(open);
        else if (id == HAK_EV_acquire_stage && witness_at(i)->acquire_stage.outcome == HAK_HIT)
            open = 0;
    }
    check_eq(refused(), 0);
}

static void refuse_some(void *first)
{
    fill_blocks(7, (unsigned)(uintptr_t)first, (unsigned)(uintptr_t)first + EACH);
}

SCENARIO(threads_that_end_have_told_their_refusals)
{
    bool ended[2 * THREADS] = {false};

    begin();
    fill_blocks(7, 0, EACH);
    for (unsigned i = 1; i < THREADS; i++)
        in_a_thread(refuse_some, (void *)(uintptr_t)(i * EACH));
    storm_tell(true);
    check_eq(refused(), class_now(7).shared_fail);
    check_eq(legacy_blocks(), class_now(7).legacy_blocks);
    for (unsigned i = 0; i < witness_all(); i++) {
        const struct witnessed *w = witness_at(i);

        if (w->id == HAK_EV_thread_start)
            ended[w->thread_start.owner] = false;
        if (w->id == HAK_EV_thread_exit)
            ended[w->thread_exit.owner] = true;
        check(w->id != HAK_EV_shared_fail_sum || !ended[w->shared_fail_sum.owner]);
    }
    check(asked() >= refused());
}

SCENARIO(a_session_without_sums_is_told_each)
{
    begin();
    witness_want(HAK_EV_shared_fail_sum, false);
    fill_blocks(7, 0, EACH);
    check_eq(NUMBER_OF(shared_fail), class_now(7).shared_fail);
    check_eq(NUMBER_OF(acquire_begin), asked());
}

SCENARIO(zero_tells_each)
{
    begin();
    config.tell_singly = 0;
    fill_blocks(7, 0, EACH);
    storm_tell(true);
    check_eq(NUMBER_OF(shared_fail), class_now(7).shared_fail);
    check_eq(NUMBER_OF(shared_fail_sum) + NUMBER_OF(legacy_alloc_sum), 0);
}

SCENARIO(sums_of_before_a_fork_are_the_parent_s)
{
    int status;
    pid_t child;

    begin();
    fill_blocks(7, 0, EACH);
    witness_forget();
    child = fork();
    if (!child) {
        storm_tell(true);
        _exit((int)(NUMBER_OF(shared_fail_sum) + NUMBER_OF(legacy_alloc_sum)));
    }
    check_eq(waitpid(child, &status, 0), child);
    check_eq(status, 0);
    storm_tell(true);
    check_eq(NUMBER_OF(shared_fail_sum), 1);
}

SCENARIO(pools_that_refuse_are_added_up_by_size)
{
    uint64_t count = 0, bytes = 0;

    begin();
    for (unsigned i = 0; i < EACH; i++)
        trace_ace_fail(i % 2 ? 3000 : 9000, HAK_MID, HAK_EXHAUSTION, i % 2 ? 3072 : 10240, i, 7, 0);
    storm_tell(true);
    for (unsigned i = 0; i < NUMBER_OF(ace_fail_sum); i++) {
        const struct hak_ev_ace_fail_sum *e = E(ace_fail_sum, i);

        check_eq(e->smallest, e->largest);
        check_eq(e->class_size, e->smallest == 3000 ? 3072 : 10240);
        check_eq(e->class_of, e->smallest);
        check_eq(e->bytes, e->count * e->class_size);
        check_eq(e->limit, 7);
        count += e->count;
        bytes += e->bytes;
    }
    check_eq(count + NUMBER_OF(ace_fail), EACH);
    for (unsigned i = 0; i < NUMBER_OF(ace_fail); i++)
        bytes += E(ace_fail, i)->class_size;
    check_eq(bytes, EACH / 2 * (3072 + 10240));
}

/* Whoever is told of the trouble finds what it was. */
SCENARIO(trouble_is_told_after_what_it_is_about)
{
    unsigned at = 0;

    begin();
    fill_blocks(7, 0, EACH);
    check(NUMBER_OF(trouble) >= 1);
    check_eq(E(trouble, 0)->what, HAK_TROUBLE_SHARED_FAIL);
    while (witness_at(at)->id != HAK_EV_trouble)
        at++;
    check(at > 0 && witness_at(at - 1)->id == HAK_EV_shared_fail);
}

SCENARIO(a_moment_after_the_first_and_a_second_after_the_state_is_told)
{
    uint64_t now;

    begin();
    fill_blocks(7, 0, EACH);
    now = os_now_ns();
    witness_forget();
    aftermath_tick(now + 100000000u);
    check_eq(NUMBER_OF(aftermath), 1);
    check_eq(E(aftermath, 0)->phase, 1);
    check_eq(E(statedump_begin, 0)->why, HAK_DUMP_AFTERWARDS);
    check_eq(E(statedump_begin, 0)->details, 1);
    aftermath_tick(now + 200000000u);
    check_eq(NUMBER_OF(aftermath), 1);
    aftermath_tick(now + 1100000000u);
    check_eq(E(aftermath, 1)->phase, 2);
    check_eq(NUMBER_OF(statedump_end), 2);
    /* The next ones belong to the same series for a while. */
    fill_blocks(7, EACH, 2 * EACH);
    aftermath_tick(now + 3000000000u);
    check_eq(NUMBER_OF(aftermath), 2);
}

SCENARIO(nothing_wrong_has_no_aftermath)
{
    begin();
    fill_blocks(6, 0, EACH);
    aftermath_tick(os_now_ns() + 1000000000u);
    aftermath_at_exit();
    check_eq(NUMBER_OF(aftermath), 0);
}

SCENARIO(what_ends_in_between_is_told_of_at_its_end)
{
    begin();
    fill_blocks(7, 0, EACH);
    aftermath_at_exit();
    check_eq(NUMBER_OF(aftermath), 1);
    check_eq(E(aftermath, 0)->phase, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_beyond_the_first_are_added_up),
        cmocka_unit_test(steps_that_wait_come_before_what_the_acquire_gets),
        cmocka_unit_test(threads_that_end_have_told_their_refusals),
        cmocka_unit_test(a_session_without_sums_is_told_each),
        cmocka_unit_test(zero_tells_each),
        cmocka_unit_test(sums_of_before_a_fork_are_the_parent_s),
        cmocka_unit_test(pools_that_refuse_are_added_up_by_size),
        cmocka_unit_test(trouble_is_told_after_what_it_is_about),
        cmocka_unit_test(a_moment_after_the_first_and_a_second_after_the_state_is_told),
        cmocka_unit_test(nothing_wrong_has_no_aftermath),
        cmocka_unit_test(what_ends_in_between_is_told_of_at_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
