/* The system refuses memory: every layer is asked, the caller is told, and it passes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "limits.h"
#include "os.h"
#include "scenario.h"
#include "witness.h"

/* A limit that leaves room for so many bytes more than there are now, by a field of statm. */
static void limit(int resource, unsigned field, size_t room)
{
    FILE *statm = fopen("/proc/self/statm", "r");
    struct rlimit limit = {0, RLIM_INFINITY};
    size_t pages = 0;

    check(statm != NULL);
    for (unsigned i = 0; i <= field; i++)
        check_eq(fscanf(statm, "%zu", &pages), 1);
    fclose(statm);
    limit.rlim_cur = pages * os_page() + room;
    check_eq(setrlimit(resource, &limit), 0);
}

static void limit_to(size_t room)
{
    limit(RLIMIT_AS, 0, room);
}

static void lift_limit(void)
{
    struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};

    check_eq(setrlimit(RLIMIT_AS, &none), 0);
}

/* Allocates C7 blocks until there are no more; how many there were. */
static unsigned exhaust(void)
{
    for (unsigned i = 0; i < BLOCKS_MAX; i++) {
        errno = 0;
        block[i] = hak_malloc(2048);
        if (!block[i]) {
            check_eq(errno, ENOMEM);
            return i;
        }
        memset(block[i], (int)(i & 0xff), 2048);
    }
    scenario_fail(__FILE__, __LINE__, "the limit was reached");
}

SCENARIO(every_layer_is_asked_in_turn_and_then_the_caller_gets_null)
{
    struct hak_stats st;
    const struct hak_ev_ace_fail *e;
    unsigned n;

    hak_free(hak_malloc(2048));
    witness_begin();
    limit_to(2 << 20);
    n = exhaust();
    st = stats_now();
    /* The pool took what fitted, the system's malloc the rest. */
    check(st.superslabs[0] >= 2);
    check(st.map_fails >= 1);
    check(st.cls[7].shared_fail >= 1);
    check_eq(st.cls[7].legacy_blocks, st.system_other);
    check(st.system_other >= 1);
    check_eq(st.ooms, 1);
    check_eq(witness_count(HAK_EV_oom), 1);
    check_eq(witness_nth(HAK_EV_oom, 0)->oom.size, 2048);
    check_eq(witness_nth(HAK_EV_oom, 0)->oom.err, ENOMEM);
    check_eq(witness_count(HAK_EV_ace_fail), st.map_fails);
    e = &witness_nth(HAK_EV_ace_fail, 0)->ace_fail;
    check_eq(e->layer, HAK_TINY);
    check_eq(e->reason, HAK_MAP_FAIL_OS);
    check_eq(e->size, 2048);
    check_eq(e->class_size, 2048);
    check_eq(e->err, ENOMEM);
    check_eq(e->used, st.mapped_bytes);
    check_eq(witness_nth(HAK_EV_shared_fail, 0)->shared_fail.reason, HAK_FAIL_MAP_FAIL);
    check_eq(said_times("reason=\"map fail\"") > 0, 1);
    lift_limit();
    free_blocks(7, 0, n);
    hak_drain();
    check_eq(class_now(7).active, 0);
    check_eq(stats_now().invalid_frees + stats_now().double_frees, 0);
}

SCENARIO(it_works_again_when_the_limit_is_lifted)
{
    unsigned n, refused = 0, i;

    hak_free(hak_malloc(2048));
    limit_to(2 << 20);
    n = exhaust();
    lift_limit();
    /* The pool asks the system again after some requests, which the system's malloc serves. */
    for (i = n; i < n + 300; i++) {
        block[i] = hak_malloc(2048);
        check(block[i] != NULL);
        memset(block[i], (int)(i & 0xff), 2048);
        refused += ss_of(block[i]) == NULL;
    }
    check(refused <= 40);
    check(ss_of(block[i - 1]) != NULL);
    free_blocks(7, 0, i);
    hak_drain();
    check_eq(class_now(7).active, 0);
}

SCENARIO(what_is_freed_at_the_limit_is_handed_out_again)
{
    unsigned n;

    hak_free(hak_malloc(2048));
    limit_to(2 << 20);
    n = exhaust();
    for (unsigned round = 0; round < 20; round++) {
        free_blocks(7, n / 2, n);
        hak_drain();
        fill_blocks(7, n / 2, n);
    }
    lift_limit();
    free_blocks(7, 0, n);
}

SCENARIO(a_large_superslab_that_does_not_fit_is_tried_small)
{
    hak_free(hak_malloc(2048));
    config.ss_lg = 21;
    /* 512 KiB and what its alignment needs, but no 2 MiB. */
    limit_to(1200 << 10);
    fill_blocks(7, 0, 256);
    check_eq(stats_now().superslabs[2], 0);
    check_eq(stats_now().superslabs[0], 2);
    check_eq(stats_now().map_fails, 0);
}

SCENARIO(all_of_the_interface_says_enomem)
{
    char *kept = hak_malloc(2048);
    void *out = kept;
    unsigned n;

    memset(kept, 0x33, 2048);
    limit_to(1 << 20);
    n = exhaust();
    check(n > 0);
    errno = 0;
    check(hak_calloc(1, 2048) == NULL);
    check_eq(errno, ENOMEM);
    errno = 0;
    check(hak_realloc(kept, 50000) == NULL);
    check_eq(errno, ENOMEM);
    errno = 0;
    check(hak_aligned_alloc(2048, 2048) == NULL);
    check_eq(errno, ENOMEM);
    check_eq(hak_posix_memalign(&out, 2048, 2048), ENOMEM);
    check(out == kept);
    for (unsigned i = 0; i < 2048; i++)
        check_eq(kept[i], 0x33);
    check(stats_now().ooms >= 5);
}

static void allocate_one(void *unused)
{
    (void)unused;
    errno = 0;
    block[BLOCKS_MAX - 1] = hak_malloc(2048);
    check(block[BLOCKS_MAX - 1] != NULL || errno == ENOMEM);
    hak_free(block[BLOCKS_MAX - 1]);
}

SCENARIO(a_thread_that_begins_at_the_limit_survives)
{
    /* Its stack exists already: the C library keeps ended threads' stacks. */
    in_a_thread(allocate_one, NULL);
    limit_to(1 << 20);
    (void)exhaust();
    in_a_thread(allocate_one, NULL);
}

/* Blocks of all sizes, whose contents hold while they change. */
static void use_all_sizes(void)
{
    static const size_t sizes[] = {1, 100, 2048, 2500, 30000, 100000};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        unsigned char *p = hak_calloc(1, sizes[i]), *q = hak_aligned_alloc(64, sizes[i]);

        check(p && q);
        check_eq((uintptr_t)q % 64, 0);
        for (size_t at = 0; at < sizes[i]; at++)
            check_eq(p[at], 0);
        memset(p, 0x5a, sizes[i]);
        p = hak_realloc(p, sizes[i] * 2);
        check(p && p[0] == 0x5a && p[sizes[i] - 1] == 0x5a);
        check(hak_malloc_usable_size(p) >= sizes[i] * 2);
        hak_free(p);
        hak_free(q);
    }
}

SCENARIO(a_process_that_begins_near_a_limit_is_served_by_the_system_s_malloc)
{
    witness_begin();
    limit_to(8 << 20);
    limits_find();
    use_all_sizes();
    check_eq(stats_now().mapped_bytes + stats_now().mid.mapped + stats_now().large.mapped, 0);
    check_eq(witness_count(HAK_EV_superslab_map) + witness_count(HAK_EV_ace_map), 0);
    check(witness_count(HAK_EV_legacy_alloc) >= 12);
    for (unsigned i = 0; i < witness_count(HAK_EV_legacy_alloc); i++)
        check_eq(witness_nth(HAK_EV_legacy_alloc, i)->legacy_alloc.why, HAK_WHY_NEAR_LIMIT);
    check_eq(said()[0], '\0');
    check_eq(stats_now().invalid_frees, 0);
}

SCENARIO(a_limit_on_data_counts_like_one_on_addresses)
{
    limit(RLIMIT_DATA, 5, 8 << 20);
    limits_find();
    use_all_sizes();
    check_eq(stats_now().mapped_bytes + stats_now().mid.mapped + stats_now().large.mapped, 0);
}

SCENARIO(a_limit_that_is_far_changes_nothing)
{
    limit_to(256 << 20);
    limits_find();
    use_all_sizes();
    check(stats_now().mapped_bytes > 0);
    check(stats_now().mid.mapped > 0);
    check_eq(stats_now().system_other + stats_now().system_large, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_is_asked_in_turn_and_then_the_caller_gets_null),
        cmocka_unit_test(it_works_again_when_the_limit_is_lifted),
        cmocka_unit_test(what_is_freed_at_the_limit_is_handed_out_again),
        cmocka_unit_test(a_large_superslab_that_does_not_fit_is_tried_small),
        cmocka_unit_test(all_of_the_interface_says_enomem),
        cmocka_unit_test(a_process_that_begins_near_a_limit_is_served_by_the_system_s_malloc),
        cmocka_unit_test(a_limit_on_data_counts_like_one_on_addresses),
        cmocka_unit_test(a_limit_that_is_far_changes_nothing),
        cmocka_unit_test(a_thread_that_begins_at_the_limit_survives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
