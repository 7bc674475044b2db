/* Sizes above 2,048 bytes: which layer serves them, and what is told when one refuses. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "ace.h"
#include "ace_class.h"
#include "os.h"
#include "process.h"
#include "scenario.h"
#include "witness.h"

#define MAP_FAILS_FROM(n) os_fail_maps(os_fault(OS_FAULT_FROM, n))

static void begin(void)
{
    hak_free(hak_malloc(100));
    witness_begin();
}

/* A block whose bytes can all be used, and where the page map says it lies. */
static int kind_of(size_t size, size_t align)
{
    char *p = align ? hak_memalign(align, size) : hak_malloc(size);
    size_t usable = hak_malloc_usable_size(p);

    check(p != NULL);
    check(usable >= size);
    check_eq((uintptr_t)p % (align ? align : 16), 0);
    memset(p, 0x5a, usable);
    return pagemap_lookup(p);
}

/* Failure event number n is this one. */
static void refused(unsigned n, size_t size, enum hak_ace_layer layer, enum hak_ace_reason reason,
                    size_t class_size)
{
    const struct hak_ev_ace_fail *e = &witness_nth(HAK_EV_ace_fail, n)->ace_fail;

    check_eq(e->size, size);
    check_eq(e->layer, layer);
    check_eq(e->reason, reason);
    check_eq(e->class_size, class_size);
    check_eq(e->err, reason == HAK_MAP_FAIL_OS ? ENOMEM : 0);
}

static unsigned refusals(void)
{
    return witness_count(HAK_EV_ace_fail);
}

SCENARIO(each_size_has_its_layer)
{
    begin();
    check(kind_of(2048, 0) > 0);
    check_eq(kind_of(2049, 0), PAGEMAP_MID);
    check_eq(kind_of(32768, 0), PAGEMAP_MID);
    check_eq(kind_of(32769, 0), PAGEMAP_LARGE);
    check_eq(kind_of(1 << 20, 0), PAGEMAP_LARGE);
    check_eq(kind_of((1 << 20) + 1, 0), PAGEMAP_HUGE);
    check_eq(kind_of(100 << 20, 0), PAGEMAP_HUGE);
    check_eq(refusals(), 0);
    check_eq(witness_count(HAK_EV_legacy_alloc), 0);
    check_eq(witness_count(HAK_EV_ace_map), 4);
    check_eq(stats_now().mid.used - stats_now().mid.cached, 2560 + 32768);
    check_eq(stats_now().large.blocks, 2);
    check_eq(stats_now().huge.blocks, 2);
}

SCENARIO(by_default_no_size_fails_threshold)
{
    begin();
    for (size_t size = 2049; size <= LARGE_MAX; size += size / 300)
        hak_free(hak_malloc(size));
    for (unsigned c = 0; c < MID_CLASSES; c++)
        hak_free(hak_malloc(mid_stride(c) + 1));
    check_eq(refusals(), 0);
}

SCENARIO(every_alignment_is_kept_by_some_layer_of_ours)
{
    begin();
    for (size_t align = 16; align <= 16 << 20; align *= 2)
        for (size_t size = 1; size <= 4 << 20; size *= 3) {
            char *p = hak_memalign(align, size), *q = hak_memalign(align, size);

            check_eq((uintptr_t)p % align, 0);
            check_eq((uintptr_t)q % align, 0);
            check(pagemap_lookup(p) != PAGEMAP_NONE && pagemap_lookup(q) != PAGEMAP_NONE);
            memset(p, 1, hak_malloc_usable_size(p));
            memset(q, 2, hak_malloc_usable_size(q));
            check_eq(p[size - 1], 1);
            hak_free(p);
            hak_free(q);
        }
    check_eq(refusals(), 0);
    check_eq(witness_count(HAK_EV_legacy_alloc), 0);
    check_eq(stats_now().invalid_frees + stats_now().double_frees, 0);
}

SCENARIO(an_aligned_block_is_no_larger_than_its_alignment_asks)
{
    check_eq(kind_of(100, 4096), PAGEMAP_MID);
    check_eq(kind_of(32768, 32768), PAGEMAP_MID);
    check_eq(kind_of(1, 65536), PAGEMAP_LARGE);
    check_eq(kind_of(65536, 65536), PAGEMAP_LARGE);
    check_eq(kind_of(1 << 20, 1 << 20), PAGEMAP_LARGE);
    check_eq(kind_of(1, 2 << 20), PAGEMAP_HUGE);
    check_eq(hak_malloc_usable_size(hak_memalign(4096, 100)), 4096);
    check_eq(hak_malloc_usable_size(hak_memalign(2 << 20, 100)), 4096);
}

SCENARIO(threshold_at_mid_goes_to_large)
{
    begin();
    config.ace_wmax = 124;
    /* 2,049 needs 2,560, which is 1.2494 as much; 40 KiB are far more still. */
    check_eq(kind_of(2049, 0), PAGEMAP_HUGE);
    check_eq(refusals(), 2);
    refused(0, 2049, HAK_MID, HAK_THRESHOLD, 2560);
    refused(1, 2049, HAK_LARGE, HAK_THRESHOLD, 40960);
    check_eq(kind_of(2100, 0), PAGEMAP_MID);
    check_eq(refusals(), 2);
}

SCENARIO(threshold_at_large_goes_to_huge)
{
    begin();
    config.ace_wmax = 110;
    check_eq(kind_of(900 << 10, 0), PAGEMAP_HUGE);
    check_eq(refusals(), 1);
    refused(0, 900 << 10, HAK_LARGE, HAK_THRESHOLD, 1 << 20);
    check_eq(stats_now().large.threshold, 1);
    check_eq(stats_now().mid.threshold, 0);
    /* Some fit as well as that. */
    check_eq(kind_of(890 << 10, 0), PAGEMAP_LARGE);
    check_eq(refusals(), 1);
}

SCENARIO(a_mid_pool_at_its_limit_passes_on_to_large_and_huge)
{
    const struct hak_ev_ace_fail *e;
    void *mine[3];

    config.ace_mid_cap = 100000;
    begin();
    for (unsigned i = 0; i < 3; i++)
        mine[i] = hak_malloc(32768);
    for (unsigned i = 0; i < 3; i++)
        check_eq(pagemap_lookup(mine[i]), PAGEMAP_MID);
    /* 40,960 is within W_MAX for 31,000 but not for 30,000. */
    check_eq(kind_of(31000, 0), PAGEMAP_LARGE);
    check_eq(refusals(), 1);
    refused(0, 31000, HAK_MID, HAK_EXHAUSTION, 32768);
    e = &witness_nth(HAK_EV_ace_fail, 0)->ace_fail;
    check_eq(e->used, 3 * 32768);
    check_eq(e->limit, 100000);
    check_eq(kind_of(30000, 0), PAGEMAP_HUGE);
    refused(1, 30000, HAK_MID, HAK_EXHAUSTION, 32768);
    refused(2, 30000, HAK_LARGE, HAK_THRESHOLD, 40960);
    check_eq(witness_nth(HAK_EV_ace_fail, 2)->ace_fail.used, 40960);
    check_eq(stats_now().mid.exhaustion, 2);
    check(stats_now().mid.used <= 100000);
    /* What is freed can be had again, also by another class. */
    hak_free(mine[0]);
    check_eq(kind_of(3000, 0), PAGEMAP_MID);
    check_eq(refusals(), 3);
}

static void *held[64];

static void fill_caches(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 4; i++)
        held[i] = hak_malloc(16384);
    for (unsigned i = 0; i < 4; i++)
        hak_free(held[i]);
}

SCENARIO(what_waits_in_caches_does_not_exhaust_a_pool)
{
    config.ace_mid_cap = 65536;
    begin();
    fill_caches(NULL);
    check(stats_now().mid.cached > 0);
    for (unsigned i = 0; i < 2; i++) {
        held[i] = hak_malloc(32768);
        check_eq(pagemap_lookup(held[i]), PAGEMAP_MID);
    }
    check_eq(refusals(), 0);
    check_eq(stats_now().mid.cached, 0);
    check_eq(stats_now().mid.peak, 65536);
}

SCENARIO(a_large_pool_at_its_limit_passes_on_to_huge)
{
    config.ace_large_cap = 3 << 20;
    begin();
    for (unsigned i = 0; i < 3; i++)
        check_eq(kind_of(1 << 20, 0), PAGEMAP_LARGE);
    check_eq(kind_of(50000, 0), PAGEMAP_HUGE);
    check_eq(refusals(), 1);
    refused(0, 50000, HAK_LARGE, HAK_EXHAUSTION, 57344);
    check_eq(witness_nth(HAK_EV_ace_fail, 0)->ace_fail.used, 3 << 20);
    check_eq(witness_nth(HAK_EV_ace_fail, 0)->ace_fail.limit, 3 << 20);
    check_eq(stats_now().large.exhaustion, 1);
}

SCENARIO(refusals_have_a_log_line_where_they_are_asked_for)
{
    config.ace_large_cap = 3 << 20;
    config.log_ace = 1;
    for (unsigned i = 0; i < 4; i++)
        (void)kind_of(1 << 20, 0);
    check_eq(said_times("[ACE_FAIL] size=1048576 layer=large reason=exhaustion class_size=1048576 "
                        "used=3145728 limit=3145728 errno=0\n"),
             1);
    check_eq(said_times("\n"), 1);
}

SCENARIO(a_large_block_may_not_grow_beyond_the_limit)
{
    char *p;

    config.ace_large_cap = 100 << 10;
    begin();
    p = hak_malloc(80 << 10);
    p = hak_realloc(p, 120 << 10);
    check_eq(pagemap_lookup(p), PAGEMAP_HUGE);
    check_eq(stats_now().large.peak, 80 << 10);
}

SCENARIO(a_map_refused_at_each_layer_is_told_once_and_the_next_is_asked)
{
    begin();
    /* The first map is that of the thread's cache. */
    os_fail_maps(os_fault(OS_FAULT_NTH, 2));
    check_eq(kind_of(20000, 0), PAGEMAP_HUGE);
    check_eq(refusals(), 2);
    refused(0, 20000, HAK_MID, HAK_MAP_FAIL_OS, 20480);
    refused(1, 20000, HAK_LARGE, HAK_THRESHOLD, 40960);
    os_fail_maps(os_fault(OS_FAULT_NTH, 1));
    check_eq(kind_of(50000, 0), PAGEMAP_HUGE);
    refused(2, 50000, HAK_LARGE, HAK_MAP_FAIL_OS, 57344);
    os_fail_maps(os_fault(OS_FAULT_NTH, 1));
    check_eq(kind_of(5 << 20, 0), PAGEMAP_NONE);
    refused(3, 5 << 20, HAK_HUGE, HAK_MAP_FAIL_OS, 5 << 20);
    check_eq(witness_count(HAK_EV_legacy_alloc), 1);
    check_eq(witness_nth(HAK_EV_legacy_alloc, 0)->legacy_alloc.why, HAK_WHY_LARGE);
    check_eq(stats_now().mid.map_fail, 1);
    check_eq(stats_now().large.map_fail, 1);
    check_eq(stats_now().huge.map_fail, 1);
    check_eq(refusals(), 4);
    check_eq(witness_count(HAK_EV_oom), 0);
}

SCENARIO(what_was_refused_is_asked_again_after_a_while)
{
    unsigned mid = 0;

    begin();
    os_fail_maps(os_fault(OS_FAULT_NTH, 2));
    for (unsigned i = 0; i < 60; i++)
        mid += kind_of(20000, 0) == PAGEMAP_MID;
    check(mid >= 20 && mid < 60);
}

SCENARIO(idle_memory_is_handed_back_before_a_map_is_given_up)
{
    void *p[8];

    begin();
    /* The caches and the waiting huge blocks have memory; the page map has its leaf. */
    for (unsigned i = 0; i < 8; i++)
        p[i] = hak_malloc(3 << 20);
    for (unsigned i = 0; i < 8; i++)
        hak_free(p[i]);
    check(stats_now().huge.idle >= 24 << 20);
    witness_forget();
    os_fail_maps(os_fault(OS_FAULT_NTH, 1));
    check_eq(kind_of(100 << 20, 0), PAGEMAP_HUGE);
    check_eq(stats_now().huge.idle, 0);
    check_eq(refusals(), 0);
    check_eq(witness_count(HAK_EV_ace_unmap), 8);
}

SCENARIO(null_and_enomem_only_when_every_layer_has_refused)
{
    struct rlimit none = {0, RLIM_INFINITY};
    const size_t size[] = {3000, 30000, 50000, 2 << 20};

    begin();
    /* The C library has no room left either. */
    check_eq(setrlimit(RLIMIT_AS, &none), 0);
    MAP_FAILS_FROM(1);
    for (unsigned i = 0; i < 4; i++) {
        unsigned layers = i < 2 ? 3 : i == 2 ? 2 : 1;

        while (hak_malloc(size[i]))
            check(witness_count(HAK_EV_legacy_alloc) < 1000);
        witness_forget();
        errno = 0;
        check(hak_malloc(size[i]) == NULL);
        check_eq(errno, ENOMEM);
        check_eq(refusals(), layers);
        check_eq(witness_count(HAK_EV_oom), 1);
        check_eq(witness_nth(HAK_EV_oom, 0)->oom.size, size[i]);
        errno = 0;
        check(hak_calloc(1, size[i]) == NULL);
        check_eq(errno, ENOMEM);
        errno = 0;
        check(hak_aligned_alloc(4096, size[i] & ~(size_t)4095) == NULL || i == 0);
    }
}

SCENARIO(absurd_sizes_fail_at_once)
{
    const size_t absurd[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX - 4096, SIZE_MAX};
    void *p = hak_malloc(5000), *out = p;

    witness_begin();
    for (unsigned i = 0; i < 3; i++) {
        errno = 0;
        check(hak_malloc(absurd[i]) == NULL);
        check_eq(errno, ENOMEM);
        check(hak_calloc(1, absurd[i]) == NULL);
        check(hak_realloc(p, absurd[i]) == NULL);
        check(hak_memalign(4096, absurd[i]) == NULL);
        check_eq(hak_posix_memalign(&out, 64, absurd[i]), ENOMEM);
        check(out == p);
    }
    check_eq(refusals(), 0);
    check_eq(witness_count(HAK_EV_oom), 15);
    check_eq(hak_malloc_usable_size(p), 5120);
    hak_free(p);
}

SCENARIO(what_overflows_ends_as_every_absurd_size_does)
{
    void *p = hak_malloc(100);

    witness_begin();
    check(hak_calloc(SIZE_MAX / 2, 3) == NULL);
    check(hak_reallocarray(p, SIZE_MAX / 2, 3) == NULL);
    check(hak_pvalloc(SIZE_MAX) == NULL);
    check_eq(witness_count(HAK_EV_oom), 3);
    for (unsigned i = 0; i < 3; i++) {
        check_eq(witness_nth(HAK_EV_oom, i)->oom.size, SIZE_MAX);
        check_eq(witness_nth(HAK_EV_oom, i)->oom.err, ENOMEM);
    }
    check_eq(said_times("out of memory"), 0);
    hak_free(p);
}

SCENARIO(an_absurd_alignment_is_refused_without_a_report)
{
    void *out = &out;

    for (unsigned lg = 47; lg < 64; lg++) {
        errno = 0;
        check(hak_memalign((size_t)1 << lg, 1) == NULL);
        check_eq(errno, ENOMEM);
        check(hak_aligned_alloc((size_t)1 << lg, 5000) == NULL);
        check_eq(hak_posix_memalign(&out, (size_t)1 << lg, 1), ENOMEM);
    }
    check(out == &out);
    check_eq(said_times("out of memory"), 0);
}

static void *inside_malloc, *inside_free;

/* What a listener that allocates does to us. */
static void allocate_inside(void)
{
    if (inside_free) {
        void *p = inside_free;

        inside_free = NULL;
        inside_malloc = hak_malloc(5000);
        hak_free(p);
    }
}

SCENARIO(inside_a_listener_nothing_of_ours_is_given_and_frees_wait)
{
    const size_t size[] = {5000, 50000, 2 << 20};

    begin();
    for (unsigned i = 0; i < 3; i++) {
        char *p = hak_malloc(size[i]);
        struct hak_stats st = stats_now();

        inside_free = p;
        witness_hook(allocate_inside);
        trace_oom(1, 1, 1);
        witness_hook(NULL);
        check(inside_malloc != NULL);
        check_eq(pagemap_lookup(inside_malloc), PAGEMAP_NONE);
        check_eq(stats_now().mid.blocks + stats_now().large.blocks + stats_now().huge.blocks,
                 st.mid.blocks + st.large.blocks + st.huge.blocks);
        /* A second free is noticed nevertheless. */
        hak_free(p);
        check_eq(stats_now().double_frees, i + 1);
        hak_free(hak_malloc(3 << 20));
        hak_drain();
        check_eq(stats_now().mid.blocks + stats_now().large.blocks + stats_now().huge.blocks, 0);
        hak_free(inside_malloc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_size_has_its_layer),
        cmocka_unit_test(by_default_no_size_fails_threshold),
        cmocka_unit_test(every_alignment_is_kept_by_some_layer_of_ours),
        cmocka_unit_test(an_aligned_block_is_no_larger_than_its_alignment_asks),
        cmocka_unit_test(threshold_at_mid_goes_to_large),
        cmocka_unit_test(threshold_at_large_goes_to_huge),
        cmocka_unit_test(a_mid_pool_at_its_limit_passes_on_to_large_and_huge),
        cmocka_unit_test(what_waits_in_caches_does_not_exhaust_a_pool),
        cmocka_unit_test(a_large_pool_at_its_limit_passes_on_to_huge),
        cmocka_unit_test(refusals_have_a_log_line_where_they_are_asked_for),
        cmocka_unit_test(a_large_block_may_not_grow_beyond_the_limit),
        cmocka_unit_test(a_map_refused_at_each_layer_is_told_once_and_the_next_is_asked),
        cmocka_unit_test(what_was_refused_is_asked_again_after_a_while),
        cmocka_unit_test(idle_memory_is_handed_back_before_a_map_is_given_up),
        cmocka_unit_test(null_and_enomem_only_when_every_layer_has_refused),
        cmocka_unit_test(absurd_sizes_fail_at_once),
        cmocka_unit_test(what_overflows_ends_as_every_absurd_size_does),
        cmocka_unit_test(an_absurd_alignment_is_refused_without_a_report),
        cmocka_unit_test(inside_a_listener_nothing_of_ours_is_given_and_frees_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
