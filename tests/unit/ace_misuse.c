/* Frees of what is not a live block above 2,048 bytes: told exactly, however late, and harmless. */
#include <errno.h>
#include <string.h>

#include "ace_space.h"
#include "scenario.h"
#include "witness.h"

static const size_t sizes[] = {5000, 50000, 3 << 20};
static const unsigned classes[] = {CLASS_MID, CLASS_LARGE, CLASS_HUGE};
#define LAYERS 3

static uint64_t blocks_of(unsigned layer)
{
    struct hak_stats st = stats_now();

    return layer == 0 ? st.mid.blocks : layer == 1 ? st.large.blocks : st.huge.blocks;
}

static uintptr_t home_of(unsigned layer, const void *p)
{
    return layer < 2 ? (uintptr_t)region_of(p) : (uintptr_t)p;
}

SCENARIO(a_second_free_is_told_at_once)
{
    witness_begin();
    for (unsigned l = 0; l < LAYERS; l++) {
        char *p = hak_malloc(sizes[l]);
        const struct hak_ev_double_free *e;

        hak_free(p);
        hak_free(p);
        check_eq(witness_count(HAK_EV_double_free), l + 1);
        e = &witness_nth(HAK_EV_double_free, l)->double_free;
        check_eq(e->base, (uintptr_t)p);
        check_eq(e->ss, home_of(l, p));
        check_eq(e->slab, l < 2 ? unit_of(p) : 0);
        check_eq(e->gen, 0);
        check_eq(e->cls, classes[l]);
    }
    check_eq(said_times("[DOUBLE_FREE]"), LAYERS);
    check_eq(stats_now().invalid_frees, 0);
}

SCENARIO(a_second_free_is_told_after_the_block_left_every_cache)
{
    for (unsigned l = 0; l < 2; l++) {
        void *p = hak_malloc(sizes[l]);

        hak_free(p);
        hak_drain();
        check_eq(blocks_of(l), 0);
        hak_free(p);
        check_eq(stats_now().double_frees, l + 1);
        check_eq(blocks_of(l), 0);
        /* And its bytes were spoilt nowhere: it is handed out whole, once. */
        p = hak_malloc(sizes[l]);
        check(hak_malloc(sizes[l]) != p);
    }
}

static void free_it(void *p)
{
    hak_free(p);
}

SCENARIO(a_second_free_by_another_thread_is_told)
{
    for (unsigned l = 0; l < LAYERS; l++) {
        void *p = hak_malloc(sizes[l]);

        in_a_thread(free_it, p);
        hak_free(p);
        in_a_thread(free_it, p);
        check_eq(stats_now().double_frees, 2 * l + 2);
    }
}

SCENARIO(what_is_freed_twice_is_handed_out_once)
{
    for (unsigned l = 0; l < LAYERS; l++) {
        void *p = hak_malloc(sizes[l]), *q, *r;

        hak_free(p);
        hak_free(p);
        q = hak_malloc(sizes[l]);
        r = hak_malloc(sizes[l]);
        check(q != r);
        memset(q, 1, sizes[l]);
        memset(r, 2, sizes[l]);
        check_eq(*(char *)q, 1);
    }
}

SCENARIO(a_pointer_into_a_block_is_not_freed)
{
    static const size_t off[] = {1, 8, 16, 64, 512, 4096};

    witness_begin();
    for (unsigned l = 0; l < LAYERS; l++) {
        char *p = hak_malloc(sizes[l]);
        uint64_t before = blocks_of(l);

        memset(p, 0x77, sizes[l]);
        for (unsigned i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
            const struct hak_ev_invalid_free *e;

            witness_forget();
            hak_free(p + off[i]);
            e = &witness_nth(HAK_EV_invalid_free, 0)->invalid_free;
            check_eq(e->ptr, (uintptr_t)p + off[i]);
            check_eq(e->ss, home_of(l, p));
            check_eq(e->cls, classes[l]);
            check_eq(e->why, HAK_NOT_A_BLOCK_START);
            errno = 0;
            check(hak_realloc(p + off[i], 100) == NULL);
            check_eq(errno, EINVAL);
            check_eq(hak_malloc_usable_size(p + off[i]), 0);
        }
        check_eq(blocks_of(l), before);
        for (size_t i = 0; i < sizes[l]; i++)
            check_eq(p[i], 0x77);
        hak_free(p);
    }
    check_eq(stats_now().double_frees, 0);
}

SCENARIO(a_pointer_far_into_a_huge_block_is_known_for_one)
{
    char *p = hak_malloc(10 << 20);

    witness_begin();
    for (size_t off = 4096; off < 10 << 20; off += 300 << 10) {
        hak_free(p + off);
        check_eq(hak_malloc_usable_size(p + off), 0);
    }
    check_eq(witness_count(HAK_EV_invalid_free), 35);
    for (unsigned i = 0; i < 35; i++)
        check_eq(witness_nth(HAK_EV_invalid_free, i)->invalid_free.ss, (uintptr_t)p);
    hak_free(p);
    check_eq(stats_now().invalid_frees, 35);
}

SCENARIO(what_was_never_handed_out_and_a_region_s_first_units_are_told_apart)
{
    char *mid = hak_malloc(32768), *large = hak_malloc(50000);

    witness_begin();
    /* Of the chunk's two blocks, the other; or the next free chunk. */
    hak_free((char *)((uintptr_t)mid & -(uintptr_t)65536) + 65536);
    hak_free(region_of(mid));
    hak_free((char *)region_of(mid) + 8192);
    hak_free(region_of(large));
    check_eq(witness_nth(HAK_EV_invalid_free, 0)->invalid_free.why, HAK_NEVER_CARVED);
    for (unsigned i = 1; i < 4; i++)
        check_eq(witness_nth(HAK_EV_invalid_free, i)->invalid_free.why, HAK_IN_HEADER);
    hak_free(mid);
    hak_free(large);
    check_eq(stats_now().invalid_frees, 4);
}

SCENARIO(realloc_of_a_freed_block_is_refused)
{
    for (unsigned l = 0; l < LAYERS; l++) {
        void *p = hak_malloc(sizes[l]);

        hak_free(p);
        errno = 0;
        check(hak_realloc(p, sizes[l] + 1) == NULL);
        check_eq(errno, EINVAL);
        check_eq(stats_now().double_frees, l + 1);
        check_eq(hak_malloc_usable_size(p), 0);
    }
}

SCENARIO(behind_a_huge_block_s_end_is_not_ours)
{
    /* The rest of its last granule may be another mapping's. */
    char *p = hak_malloc((1 << 20) + 1);
    size_t size = hak_malloc_usable_size(p);

    check(size % (512 << 10) != 0);
    check(pagemap_lookup(p + size) != PAGEMAP_NONE);
    check_eq(hak_malloc_usable_size(NULL), 0);
    witness_begin();
    hak_free(p + size - 1);
    check_eq(witness_count(HAK_EV_invalid_free), 1);
    hak_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_free_is_told_at_once),
        cmocka_unit_test(a_second_free_is_told_after_the_block_left_every_cache),
        cmocka_unit_test(a_second_free_by_another_thread_is_told),
        cmocka_unit_test(what_is_freed_twice_is_handed_out_once),
        cmocka_unit_test(a_pointer_into_a_block_is_not_freed),
        cmocka_unit_test(a_pointer_far_into_a_huge_block_is_known_for_one),
        cmocka_unit_test(what_was_never_handed_out_and_a_region_s_first_units_are_told_apart),
        cmocka_unit_test(realloc_of_a_freed_block_is_refused),
        cmocka_unit_test(behind_a_huge_block_s_end_is_not_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
