/* What the kernel refuses is a fact that follows: what could not be given back is still there, and
 * said to be; what could not be unmapped is counted, found again and given back later. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../refuse.h"
#include "ace.h"
#include "ace_class.h"
#include "kept.h"
#include "os.h"
#include "process.h"
#include "reclaim.h"
#include "scenario.h"
#include "witness.h"

#define SECOND 1000000000u
#define MIB ((size_t)1 << 20)

static uint64_t now = SECOND;

/* Ticks of the helper thread for some seconds. */
static void ticks(unsigned seconds)
{
    for (unsigned ms = 0; ms < seconds * 1000; ms += 150)
        ace_tick(now += 150000000);
}

static void dirty_all(size_t size, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        block[i] = hak_malloc(size);
        check(block[i] != NULL);
        memset(block[i], 0xab, size);
    }
}

static void free_all(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        hak_free(block[i]);
}

static void calloc_all_zero(size_t size, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const char *p = block[i] = hak_calloc(1, size);

        check(p != NULL);
        for (size_t at = 0; at < size; at++)
            if (p[at])
                scenario_fail(__FILE__, __LINE__, "calloc's memory is zero");
    }
}

/* 8 MiB of blocks of some size, dirtied, freed and left to the tick, are zero for calloc. */
static void zero_after_a_rest(size_t size)
{
    unsigned n = (unsigned)(8 * MIB / size);

    dirty_all(size, n);
    free_all(n);
    hak_drain();
    ticks(3);
    calloc_all_zero(size, n);
    free_all(n);
}

static const size_t sizes[] = {2500, 3000, 5000, 20000, 32768, 40000, 100000, 1000000, 3000000};

static void zero_whatever_the_size(void)
{
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
            zero_after_a_rest(sizes[i]);
}

SCENARIO(calloc_is_zero_where_no_page_goes_back)
{
    check(refuse(SYS_madvise, EPERM));
    zero_whatever_the_size();
}

SCENARIO(calloc_is_zero_where_nothing_is_unmapped)
{
    check(refuse(SYS_munmap, EPERM));
    zero_whatever_the_size();
}

SCENARIO(calloc_is_zero_where_neither_goes)
{
    check(refuse(SYS_madvise, EINVAL));
    check(refuse(SYS_munmap, ENOMEM));
    check(refuse(SYS_mremap, EAGAIN));
    zero_whatever_the_size();
}

SCENARIO(calloc_is_zero_where_pages_are_locked)
{
    void *p[40];

    /* Some of them stay locked when they are freed. */
    for (unsigned i = 0; i < 40; i++) {
        p[i] = hak_malloc(i % 2 ? 3000 : 20000);
        memset(p[i], 0xab, 3000);
        check_eq(mlock(p[i], 1000), 0);
    }
    for (unsigned i = 0; i < 40; i++)
        hak_free(p[i]);
    zero_whatever_the_size();
}

static struct hak_layer_stats layer_now(enum hak_ace_layer layer)
{
    struct hak_layer_stats l = {0};

    ace_layer_stats(layer, &l);
    return l;
}

static void what_stays_is_said(size_t size, enum hak_ace_layer layer)
{
    unsigned n = (unsigned)(8 * MIB / size);

    witness_begin();
    dirty_all(size, n);
    free_all(n);
    hak_drain();
    ticks(3);
    check_eq(layer_now(layer).used, 0);
    check(layer_now(layer).idle >= 3 * MIB);
    check_eq(witness_count(HAK_EV_ace_purge), 0);
    /* Nothing is left that the helper thread would not try in vain. */
    check(ace_idle());
    check(!ace_reclaim());
}

SCENARIO(mid_memory_that_does_not_go_back_is_said_to_be_there)
{
    check(refuse(SYS_munmap, EPERM));
    check(refuse(SYS_madvise, EPERM));
    what_stays_is_said(20000, HAK_MID);
}

SCENARIO(blocks_between_live_ones_that_do_not_go_back_are_said_to_be_there)
{
    check(refuse(SYS_madvise, EPERM));
    witness_begin();
    dirty_all(20000, 300);
    /* Two of the three of each chunk. */
    for (unsigned i = 0; i < 300; i++)
        if (i % 3)
            hak_free(block[i]);
    hak_drain();
    ticks(3);
    check(layer_now(HAK_MID).idle >= 200 * (size_t)20000);
    check_eq(witness_count(HAK_EV_ace_purge), 0);
    check(ace_idle());
}

SCENARIO(large_memory_that_does_not_go_back_is_said_to_be_there)
{
    check(refuse(SYS_munmap, EPERM));
    check(refuse(SYS_madvise, EPERM));
    what_stays_is_said(100000, HAK_LARGE);
}

SCENARIO(slabs_that_do_not_go_back_are_not_called_purged)
{
    process_init();
    config.ss_lg = 19;
    check(refuse(SYS_madvise, EPERM));
    witness_begin();
    fill_blocks(7, 0, 255 * 4);
    free_blocks(7, 0, 255 * 4);
    hak_drain();
    for (unsigned i = 0; i < 4; i++)
        reclaim_aged();
    check_eq(witness_count(HAK_EV_superslab_purge), 0);
    check_eq(reclaim_purged_bytes(), 0);
    /* They can be unmapped all the same, but for a cushion and the one that stays. */
    for (unsigned i = 0; i < 4; i++)
        reclaim_aged();
    check_eq(witness_count(HAK_EV_superslab_unmap), 2);
    check(reclaim_done());
}

SCENARIO(slabs_beside_a_locked_one_go_back)
{
    char *locked;

    process_init();
    config.ss_lg = 19;
    witness_begin();
    fill_blocks(7, 0, 255);
    locked = block[100];
    check_eq(mlock(locked, 1), 0);
    free_blocks(7, 0, 255);
    hak_drain();
    for (unsigned i = 0; i < 3; i++)
        reclaim_aged();
    check_eq(witness_count(HAK_EV_superslab_purge), 1);
    check_eq(witness_nth(HAK_EV_superslab_purge, 0)->superslab_purge.slabs, 6);
    check_eq(witness_nth(HAK_EV_superslab_purge, 0)->superslab_purge.bytes,
             6 * SLAB_SIZE - os_page());
    check(reclaim_done());
    check_eq(munlock(locked, 1), 0);
    reclaim_aged();
    check_eq(witness_count(HAK_EV_superslab_purge), 2);
    check_eq(witness_nth(HAK_EV_superslab_purge, 1)->superslab_purge.bytes, SLAB_SIZE);
}

SCENARIO(large_memory_beside_a_locked_page_goes_back_and_the_rest_once_it_is_unlocked)
{
    char *locked;
    uint64_t idle;

    dirty_all(100000, 30);
    locked = block[10];
    check_eq(mlock(locked, 1), 0);
    /* The last ones keep the regions. */
    free_all(29);
    hak_drain();
    ticks(3);
    idle = layer_now(HAK_LARGE).idle;
    check(idle > 0 && idle <= layer_now(HAK_LARGE).used / 8 + 8192);
    check_eq(locked[0], (char)0xab);
    check_eq(munlock(locked, 1), 0);
    (void)ace_reclaim();
    check_eq(layer_now(HAK_LARGE).idle, 0);
    check_eq(locked[0], 0);
}

SCENARIO(what_cannot_be_unmapped_is_counted_and_serves_the_next_map_with_zeros)
{
    uint64_t before = os_mapped_bytes();
    char *p = os_map_aligned(4 * MIB, 4 * MIB), *q;

    memset(p, 1, 4 * MIB);
    check(refuse(SYS_munmap, ENOMEM));
    check(!os_unmap(p, 4 * MIB));
    check_eq(kept_bytes(), 4 * MIB);
    check_eq(stats_now().kept_bytes, 4 * MIB);
    check_eq(os_mapped_bytes(), before + 4 * MIB);
    check_eq(kept_retry(), 0);
    /* A part of it, from its middle; the rest stays. */
    q = os_map_aligned(MIB, 2 * MIB);
    check(q >= p && q < p + 4 * MIB);
    check_eq(kept_bytes(), 3 * MIB);
    for (size_t at = 0; at < MIB; at++)
        check_eq(q[at], 0);
    check_eq(os_mapped_bytes(), before + 4 * MIB);
}

SCENARIO(what_can_neither_be_unmapped_nor_purged_serves_with_zeros_too)
{
    char *p = os_map(MIB), *q;

    memset(p, 1, MIB);
    check(refuse(SYS_munmap, ENOMEM));
    check(refuse(SYS_madvise, EPERM));
    check(!os_unmap(p, MIB));
    for (unsigned i = 0; i < 4; i++) {
        q = os_map(MIB / 4);
        check(q >= p && q < p + MIB);
        for (size_t at = 0; at < MIB / 4; at++)
            check_eq(q[at], 0);
    }
    check_eq(kept_bytes(), 0);
}

SCENARIO(a_guard_in_what_is_kept_is_taken_off)
{
    char *p = os_map(MIB);

    check_eq(mprotect(p, 4096, PROT_NONE), 0);
    check(refuse(SYS_munmap, EPERM));
    check(!os_unmap(p, MIB));
    check(os_map(MIB) == p);
    memset(p, 1, MIB);
}

/* Fills the process's table of mappings. Neighbours of other rights are mappings of their own. */
static char *fill_maps(size_t *size)
{
    char *p;

    *size = 70000 * os_page();
    p = mmap(NULL, *size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(p != MAP_FAILED);
    for (size_t at = 0; at < *size; at += 2 * os_page())
        if (mprotect(p + at, os_page(), PROT_READ) != 0)
            return p;
    scenario_fail(__FILE__, __LINE__, "there can be so many mappings only");
}

SCENARIO(what_could_not_be_unmapped_goes_once_it_can)
{
    char *p = os_map(3 * MIB), *filler;
    uint64_t before = os_mapped_bytes();
    size_t size;

    filler = fill_maps(&size);
    /* The middle of a mapping: it would be two. */
    check(!os_unmap(p + MIB, MIB));
    check_eq(kept_bytes(), MIB);
    check_eq(munmap(filler, size), 0);
    ticks(1);
    check_eq(kept_bytes(), 0);
    check_eq(os_mapped_bytes(), before - MIB);
    check_eq(msync(p + MIB, os_page(), MS_ASYNC), -1);
}

SCENARIO(a_move_that_the_kernel_refuses_leaves_no_place_behind)
{
    char *p = os_map(MIB), *place;
    uint64_t before = os_mapped_bytes();

    memset(p, 1, MIB);
    check(refuse(SYS_mremap, EPERM));
    for (unsigned i = 0; i < 100; i++) {
        place = os_map_aligned(64 * MIB, MIB);
        check(!os_remap(p, MIB, 64 * MIB, place));
        check_eq(errno, EPERM);
        check_eq(os_mapped_bytes(), before);
        check_eq(msync(place, os_page(), MS_ASYNC), -1);
    }
    check_eq(p[MIB - 1], 1);
}

SCENARIO(a_block_that_cannot_be_moved_is_copied)
{
    char *p = hak_malloc(3 * MIB);

    memset(p, 7, 3 * MIB);
    check(refuse(SYS_mremap, EPERM));
    for (size_t size = 4 * MIB; size < 64 * MIB; size += 5 * MIB) {
        p = hak_realloc(p, size);
        check(p != NULL);
        for (size_t at = 0; at < 3 * MIB; at += 997)
            check_eq(p[at], 7);
    }
    p = hak_realloc(p, 2 * MIB);
    check_eq(p[2 * MIB - 1], 7);
    hak_free(p);
    check(os_mapped_bytes() < 200 * MIB);
}

SCENARIO(a_second_free_is_told_though_the_block_could_not_be_resized_for_another)
{
    char *p = hak_malloc(20 * MIB), *q;

    hak_free(p);
    check(refuse(SYS_mremap, ENOMEM));
    /* Would be the waiting block, made larger. */
    q = hak_malloc(30 * MIB);
    check(q != NULL && q != p);
    hak_free(p);
    check_eq(stats_now().double_frees, 1);
    check(hak_realloc(p, 100) == NULL);
    check_eq(hak_malloc_usable_size(p), 0);
    check_eq(stats_now().huge.blocks, 1);
}

static void pages_of(size_t bytes)
{
    process_init();
    os_pretend_page(bytes);
    config.ss_lg = 19;
    witness_begin();
    zero_whatever_the_size();
    ticks(3);
    fill_blocks(7, 0, 255 * 2);
    free_blocks(7, 0, 255 * 2);
    hak_drain();
    for (unsigned i = 0; i < 4; i++)
        reclaim_aged();
    check(witness_count(HAK_EV_superslab_purge) > 0);
    check(witness_count(HAK_EV_ace_purge) > 0);
    /* What went went by whole pages. */
    for (unsigned i = 0; i < witness_all(); i++) {
        const struct witnessed *w = witness_at(i);

        if (w->id == HAK_EV_superslab_purge)
            check_eq(w->superslab_purge.bytes % bytes, 0);
        if (w->id == HAK_EV_ace_purge)
            check_eq(w->ace_purge.size % bytes, 0);
        if (w->id == HAK_EV_ace_map)
            check_eq(w->ace_map.size % bytes, 0);
    }
    check(ace_idle());
}

SCENARIO(pages_of_16_kib_are_rounded_to)
{
    pages_of(16384);
}

SCENARIO(pages_of_64_kib_are_rounded_to)
{
    pages_of(65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calloc_is_zero_where_no_page_goes_back),
        cmocka_unit_test(calloc_is_zero_where_nothing_is_unmapped),
        cmocka_unit_test(calloc_is_zero_where_neither_goes),
        cmocka_unit_test(calloc_is_zero_where_pages_are_locked),
        cmocka_unit_test(mid_memory_that_does_not_go_back_is_said_to_be_there),
        cmocka_unit_test(blocks_between_live_ones_that_do_not_go_back_are_said_to_be_there),
        cmocka_unit_test(large_memory_that_does_not_go_back_is_said_to_be_there),
        cmocka_unit_test(slabs_that_do_not_go_back_are_not_called_purged),
        cmocka_unit_test(slabs_beside_a_locked_one_go_back),
        cmocka_unit_test(
            large_memory_beside_a_locked_page_goes_back_and_the_rest_once_it_is_unlocked),
        cmocka_unit_test(what_cannot_be_unmapped_is_counted_and_serves_the_next_map_with_zeros),
        cmocka_unit_test(what_can_neither_be_unmapped_nor_purged_serves_with_zeros_too),
        cmocka_unit_test(a_guard_in_what_is_kept_is_taken_off),
        cmocka_unit_test(what_could_not_be_unmapped_goes_once_it_can),
        cmocka_unit_test(a_move_that_the_kernel_refuses_leaves_no_place_behind),
        cmocka_unit_test(a_block_that_cannot_be_moved_is_copied),
        cmocka_unit_test(a_second_free_is_told_though_the_block_could_not_be_resized_for_another),
        cmocka_unit_test(pages_of_16_kib_are_rounded_to),
        cmocka_unit_test(pages_of_64_kib_are_rounded_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
