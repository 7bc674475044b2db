/* Memory of ACE's layers goes back: what stays free is purged, then unmapped; what is used again
 * is not; and all of it without waiting, since the test is the clock. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ace.h"
#include "ace_class.h"
#include "ace_space.h"
#include "scenario.h"
#include "witness.h"

#define SECOND 1000000000u

static uint64_t now = SECOND;

/* Ticks of the helper thread for so many milliseconds. */
static void ticks(unsigned ms)
{
    for (; ms >= 150; ms -= 150)
        ace_tick(now += 150000000);
}

static size_t resident(void)
{
    FILE *statm = fopen("/proc/self/statm", "r");
    size_t all = 0, pages = 0;

    check(statm != NULL);
    check_eq(fscanf(statm, "%zu %zu", &all, &pages), 2);
    fclose(statm);
    return pages * 4096;
}

static void *fill(size_t size)
{
    char *p = hak_malloc(size);

    check(p != NULL);
    return memset(p, 1, size);
}

static void fill_all(size_t size, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        block[i] = fill(size);
}

static void free_all(unsigned from, unsigned n)
{
    for (unsigned i = from; i < n; i++)
        hak_free(block[i]);
}

static void frees_all_and_gets_to_the_floor(size_t size)
{
    unsigned n = (unsigned)((64 << 20) / size);
    size_t floor;
    struct hak_stats st;

    hak_free(fill(size));
    floor = resident();
    fill_all(size, n);
    check(resident() > floor + (60 << 20));
    check(!ace_idle() || size > MID_MAX);
    free_all(0, n);
    check(!ace_idle());
    ticks(2000);
    check(resident() < floor + (2 << 20));
    st = stats_now();
    check(st.mid.mapped <= REGION_SIZE);
    check(st.large.mapped <= REGION_SIZE);
    check_eq(st.huge.mapped, 0);
    check_eq(st.mid.idle + st.large.idle + st.huge.idle, 0);
    check_eq(st.mid.cached + st.large.cached, 0);
    check(ace_idle());
    /* And it can be used again. */
    fill_all(size, n);
    free_all(0, n);
}

SCENARIO(a_mid_heap_that_is_freed_goes_back_within_two_seconds)
{
    frees_all_and_gets_to_the_floor(7000);
}

SCENARIO(a_large_heap_that_is_freed_goes_back_within_two_seconds)
{
    frees_all_and_gets_to_the_floor(100000);
}

SCENARIO(a_huge_heap_that_is_freed_goes_back_within_two_seconds)
{
    frees_all_and_gets_to_the_floor(2 << 20);
}

SCENARIO(each_step_back_is_told)
{
    uint64_t purged = 0, unmapped = 0, n;

    witness_begin();
    fill_all(100000, 300);
    free_all(0, 300);
    n = stats_now().large.mapped;
    ticks(2000);
    for (unsigned i = 0; i < witness_count(HAK_EV_ace_purge); i++) {
        const struct hak_ev_ace_purge *e = &witness_nth(HAK_EV_ace_purge, i)->ace_purge;

        check_eq(e->layer, HAK_LARGE);
        purged += e->size;
    }
    for (unsigned i = 0; i < witness_count(HAK_EV_ace_unmap); i++) {
        const struct hak_ev_ace_unmap *e = &witness_nth(HAK_EV_ace_unmap, i)->ace_unmap;

        unmapped += e->size;
        check_eq(e->mapped, n - unmapped);
    }
    check(purged >= 300 * 100000);
    check_eq(unmapped, n - stats_now().large.mapped);
    check_eq(stats_now().large.mapped, REGION_SIZE);
}

SCENARIO(what_is_free_for_less_than_half_a_second_is_kept)
{
    uint64_t purged = 0;

    fill_all(100000, 100);
    ticks(1000);
    witness_begin();
    for (unsigned round = 0; round < 20; round++) {
        free_all(0, 100);
        ticks(150);
        fill_all(100000, 100);
        ticks(300);
    }
    /* 220 MiB were freed; what two rounds in a row had no use for may have gone. */
    for (unsigned i = 0; i < witness_count(HAK_EV_ace_purge); i++)
        purged += witness_nth(HAK_EV_ace_purge, i)->ace_purge.size;
    check(purged < 22 << 20);
    check_eq(witness_count(HAK_EV_ace_unmap), 0);
}

SCENARIO(a_small_free_part_of_a_heap_in_use_is_kept)
{
    fill_all(100000, 300);
    /* An eighth of what is used may stay, for good. */
    free_all(280, 300);
    witness_begin();
    ticks(5000);
    check_eq(witness_count(HAK_EV_ace_purge), 0);
    check(ace_idle());
}

SCENARIO(the_purged_rest_of_a_heap_reads_as_zero_and_the_live_part_as_before)
{
    fill_all(100000, 300);
    for (unsigned i = 0; i < 300; i += 2)
        hak_free(block[i]);
    ticks(2000);
    check_eq(stats_now().large.idle < 3 << 20, 1);
    for (unsigned i = 1; i < 300; i += 2)
        for (unsigned b = 0; b < 100000; b++)
            if (((char *)block[i])[b] != 1)
                check_eq(((char *)block[i])[b], 1);
    for (unsigned i = 0; i < 300; i += 2) {
        block[i] = hak_calloc(1, 100000);
        for (unsigned b = 0; b < 100000; b++)
            if (((char *)block[i])[b])
                check_eq(((char *)block[i])[b], 0);
    }
}

SCENARIO(free_blocks_between_live_ones_go_back_as_well)
{
    size_t full;

    fill_all(8192, 8192);
    full = resident();
    for (unsigned i = 0; i < 8192; i++)
        if (i % 10)
            hak_free(block[i]);
    witness_begin();
    ticks(2000);
    check(resident() < full - (48 << 20));
    check(ace_idle());
    check(witness_count(HAK_EV_ace_purge) > 0);
    for (unsigned i = 0; i < 8192; i += 10)
        for (unsigned b = 0; b < 8192; b++)
            if (((char *)block[i])[b] != 1)
                check_eq(((char *)block[i])[b], 1);
    for (unsigned i = 0; i < 8192; i++) {
        if (i % 10 == 0)
            continue;
        block[i] = hak_calloc(1, 8192);
        for (unsigned b = 0; b < 8192; b++)
            if (((char *)block[i])[b])
                check_eq(((char *)block[i])[b], 0);
    }
    free_all(0, 8192);
    ticks(2000);
    check_eq(stats_now().mid.blocks, 0);
    check_eq(stats_now().mid.idle, 0);
}

static void *volatile waiting;

static void leave_a_cache(void *unused)
{
    (void)unused;
    hak_free(fill(5000));
    check(stats_now().mid.cached > 0);
    waiting = block;
}

SCENARIO(an_ended_thread_leaves_nothing_in_its_cache)
{
    in_a_thread(leave_a_cache, NULL);
    check(waiting != NULL);
    check_eq(stats_now().mid.cached, 0);
    check_eq(stats_now().mid.blocks, 0);
}

SCENARIO(a_cache_that_is_used_is_left_alone)
{
    for (unsigned i = 0; i < 20; i++) {
        hak_free(fill(5000));
        check(stats_now().mid.cached > 0);
        ticks(600);
    }
    check(stats_now().mid.cached > 0);
    ticks(1200);
    check_eq(stats_now().mid.cached, 0);
}

SCENARIO(trim_gives_everything_back_at_once_and_says_whether_there_was_something)
{
    hak_malloc_trim(0);
    fill_all(7000, 500);
    fill_all(100000, 100);
    free_all(0, 100);
    check_eq(hak_malloc_trim(0), 1);
    check_eq(hak_malloc_trim(0), 0);
    check_eq(stats_now().large.mapped, 0);
    check_eq(stats_now().large.idle, 0);
}

/* ---- fork ---- */

SCENARIO(a_handler_that_runs_while_all_is_locked_for_a_fork_may_do_anything)
{
    static const size_t size[] = {3000, 30000, 50000, 1 << 20, 3 << 20};
    void *before[5], *p;

    for (unsigned i = 0; i < 5; i++)
        before[i] = fill(size[i]);
    ace_fork(FORK_LOCK);
    trace_inside = true;
    for (unsigned i = 0; i < 5; i++) {
        p = fill(size[i]);
        check_eq(pagemap_lookup(p), PAGEMAP_NONE);
        p = hak_realloc(p, 2 * size[i]);
        hak_free(p);
        check(hak_malloc_usable_size(before[i]) >= size[i]);
        before[i] = hak_realloc(before[i], 2 * size[i]);
        check_eq(((char *)before[i])[size[i] - 1], 1);
        hak_free(before[i]);
        p = hak_memalign(8192, size[i]);
        check_eq((uintptr_t)p % 8192, 0);
        hak_free(p);
        hak_free(hak_calloc(1, size[i]));
    }
    hak_drain();
    check_eq(hak_malloc_trim(0), 0);
    (void)stats_now();
    trace_inside = false;
    ace_fork(FORK_PARENT);
    for (unsigned i = 0; i < 5; i++)
        hak_free(fill(size[i]));
    hak_drain();
    check_eq(stats_now().mid.blocks + stats_now().large.blocks + stats_now().huge.blocks, 0);
    check_eq(stats_now().double_frees + stats_now().invalid_frees, 0);
}

static _Atomic bool cached, done;

static void hold_a_cache(void *unused)
{
    (void)unused;
    hak_free(fill(5000));
    hak_free(fill(50000));
    cached = true;
    while (!done)
        usleep(1000);
}

static void *in_thread(void *arg)
{
    hold_a_cache(arg);
    return NULL;
}

SCENARIO(a_forked_child_gets_what_other_threads_had_cached)
{
    pthread_t thread;
    char *mine = fill(6000);
    int status;
    pid_t pid;

    check_eq(pthread_create(&thread, NULL, in_thread, NULL), 0);
    while (!cached)
        usleep(1000);
    pid = fork();
    if (pid == 0) {
        check_eq(stats_now().mid.cached + stats_now().large.cached, 0);
        check_eq(stats_now().mid.blocks, 1);
        check_eq(stats_now().mid.used, 6144);
        check_eq(stats_now().large.blocks, 0);
        for (unsigned i = 0; i < 6000; i++)
            check_eq(mine[i], 1);
        hak_free(mine);
        fill_all(5000, 100);
        free_all(0, 100);
        hak_drain();
        check_eq(stats_now().mid.blocks, 0);
        check_eq(stats_now().double_frees, 0);
        _exit(0);
    }
    check_eq(waitpid(pid, &status, 0), pid);
    check_eq(status, 0);
    check(stats_now().mid.cached > 0);
    done = true;
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mid_heap_that_is_freed_goes_back_within_two_seconds),
        cmocka_unit_test(a_large_heap_that_is_freed_goes_back_within_two_seconds),
        cmocka_unit_test(a_huge_heap_that_is_freed_goes_back_within_two_seconds),
        cmocka_unit_test(each_step_back_is_told),
        cmocka_unit_test(what_is_free_for_less_than_half_a_second_is_kept),
        cmocka_unit_test(a_small_free_part_of_a_heap_in_use_is_kept),
        cmocka_unit_test(the_purged_rest_of_a_heap_reads_as_zero_and_the_live_part_as_before),
        cmocka_unit_test(free_blocks_between_live_ones_go_back_as_well),
        cmocka_unit_test(an_ended_thread_leaves_nothing_in_its_cache),
        cmocka_unit_test(a_cache_that_is_used_is_left_alone),
        cmocka_unit_test(trim_gives_everything_back_at_once_and_says_whether_there_was_something),
        cmocka_unit_test(a_handler_that_runs_while_all_is_locked_for_a_fork_may_do_anything),
        cmocka_unit_test(a_forked_child_gets_what_other_threads_had_cached),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
