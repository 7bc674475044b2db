/* Double frees and pointers that are no blocks: reported, and harmless. */
#include <string.h>

#include "scenario.h"
#include "witness.h"

/* After a misuse: blocks are still handed out once each, and keep what is written to them. */
static void still_sound(unsigned cls)
{
    fill_blocks(cls, 8000, 8600);
    for (unsigned i = 8000; i < 8600; i++)
        for (unsigned j = i + 1; j < 8600; j++)
            check(block[i] != block[j]);
    free_blocks(cls, 8000, 8600);
    check_eq(stats_now().hdr_resets, 0);
}

static void freed_twice(void *p, unsigned cls, unsigned so_far)
{
    const struct hak_ev_double_free *e;

    hak_free(p);
    check_eq(stats_now().double_frees, so_far + 1);
    e = &witness_nth(HAK_EV_double_free, so_far)->double_free;
    check_eq(e->base, (uintptr_t)p);
    check_eq(e->ss, (uintptr_t)ss_of(p));
    check_eq(e->slab, slab_no(slab_of(p)));
    check_eq(e->cls, cls);
    check_eq(stats_now().invalid_frees, 0);
}

SCENARIO(a_block_freed_twice_at_once_is_reported_in_every_class_with_a_word)
{
    witness_begin();
    for (unsigned c = 1; c < CLASSES; c++) {
        void *p = hak_malloc(geometry[c].stride);

        hak_free(p);
        freed_twice(p, c, 2 * c - 2);
        freed_twice(p, c, 2 * c - 1);
        check(hak_malloc(geometry[c].stride) == p);
        check(hak_malloc(geometry[c].stride) != p);
        still_sound(c);
    }
    check_eq(said_times("[DOUBLE_FREE] ptr="), 8 + 2);
}

SCENARIO(a_block_freed_twice_with_others_between_is_reported)
{
    witness_begin();
    fill_blocks(5, 0, 100);
    for (unsigned i = 0; i < 100; i++)
        hak_free(block[i]);
    for (unsigned i = 0; i < 100; i++)
        freed_twice(block[i], 5, i);
    still_sound(5);
}

SCENARIO(a_block_freed_twice_after_it_went_back_to_its_slab_is_reported)
{
    witness_begin();
    fill_blocks(5, 0, 100);
    for (unsigned i = 1; i < 100; i++)
        hak_free(block[i]);
    hak_drain();
    check_eq(class_now(5).active, 1);
    for (unsigned i = 1; i < 100; i++)
        freed_twice(block[i], 5, i - 1);
    hak_free(block[0]);
    still_sound(5);
}

SCENARIO(a_block_freed_twice_after_its_slab_became_empty_is_reported)
{
    witness_begin();
    fill_blocks(5, 0, 100);
    for (unsigned i = 0; i < 100; i++)
        hak_free(block[i]);
    hak_drain();
    check_eq(class_now(5).active, 0);
    for (unsigned i = 0; i < 100; i++)
        freed_twice(block[i], 5, i);
    still_sound(5);
}

static void free_first_ten(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 10; i++)
        hak_free(block[i]);
}

SCENARIO(a_block_freed_twice_by_two_threads_is_reported)
{
    witness_begin();
    fill_blocks(5, 0, 20);
    in_a_thread(free_first_ten, NULL);
    /* They wait in the slab's remote queue. */
    for (unsigned i = 0; i < 10; i++)
        freed_twice(block[i], 5, i);
    still_sound(5);
}

SCENARIO(realloc_of_a_freed_block_is_reported_and_gives_nothing_out_twice)
{
    void *p = hak_malloc(100), *q;

    hak_free(p);
    q = hak_realloc(p, 110);
    check_eq(stats_now().double_frees, 1);
    if (q)
        check(q != hak_malloc(100));
    p = hak_malloc(100);
    hak_free(p);
    q = hak_realloc(p, 2000);
    check_eq(stats_now().double_frees, 2);
}

static void invalid(const void *p, enum hak_invalid_why why)
{
    unsigned n = witness_count(HAK_EV_invalid_free);
    const struct hak_ev_invalid_free *e;

    hak_free((void *)(uintptr_t)p);
    check_eq(stats_now().invalid_frees, n + 1);
    e = &witness_nth(HAK_EV_invalid_free, n)->invalid_free;
    check_eq(e->ptr, (uintptr_t)p);
    check_eq(e->ss, (uintptr_t)ss_of(p));
    check_eq(e->why, why);
    check_eq(stats_now().double_frees, 0);
    check_eq(hak_malloc_usable_size((void *)(uintptr_t)p), 0);
}

SCENARIO(pointers_into_a_block_are_no_blocks)
{
    witness_begin();
    for (unsigned c = 0; c < CLASSES; c++) {
        uint32_t stride = geometry[c].stride;
        char *p = hak_malloc(stride);

        memset(p, 0x77, stride);
        for (uint32_t off = 1; off < stride; off += off < 32 ? 1 : 16)
            invalid(p + off, HAK_NOT_A_BLOCK_START);
        for (uint32_t off = 0; off < stride; off++)
            check_eq(p[off], 0x77);
        hak_free(p);
        still_sound(c);
    }
}

SCENARIO(what_was_never_handed_out_is_no_block)
{
    char *p;

    witness_begin();
    fill_blocks(7, 0, 1);
    p = block[0];
    /* The batch of four was carved: the fifth block was not, nor any of the next slab. */
    invalid(p + 4 * 2048, HAK_NEVER_CARVED);
    invalid((char *)ss_of(p) + 65536, HAK_NEVER_CARVED);
    invalid((char *)ss_of(p) + 7 * 65536 + 5, HAK_NEVER_CARVED);
    free_blocks(7, 0, 1);
    still_sound(7);
}

SCENARIO(a_superslab_s_header_is_no_block)
{
    char *ss;

    witness_begin();
    fill_blocks(7, 0, 1);
    ss = (char *)ss_of(block[0]);
    for (unsigned off = 0; off < 2048; off += 8)
        invalid(ss + off, HAK_IN_HEADER);
    invalid(ss + 2047, HAK_IN_HEADER);
    free_blocks(7, 0, 1);
    still_sound(7);
}

SCENARIO(the_tail_behind_the_last_block_is_no_block)
{
    char *p;

    witness_begin();
    fill_blocks(8, 0, 1);
    p = block[0];
    /* 1,322 blocks of 48 bytes leave 32 of the 63,488. */
    invalid(p + 1322 * 48, HAK_NOT_A_BLOCK_START);
    check_eq(said_times("[INVALID_FREE] ptr="), 1);
    check_eq(said_times("cls=8"), 1);
    check_eq(said_times(
                 "an address behind its slab's last block: expected what malloc returned; ignored"),
             1);
}

SCENARIO(blocks_of_an_empty_slab_of_c0_are_no_blocks)
{
    char *p;

    witness_begin();
    fill_blocks(0, 0, 10);
    free_blocks(0, 0, 10);
    hak_drain();
    check_eq(class_now(0).active, 0);
    fill_blocks(7, 0, 1);
    p = slab_blocks(ss_of(block[0]), 0);
    /* This one still bears its word. */
    memset(p, 0, 8);
    invalid(p, HAK_SLAB_NOT_ACTIVE);
    hak_free(p + 8);
    check_eq(stats_now().double_frees, 1);
}

SCENARIO(realloc_of_what_is_no_block_is_refused)
{
    char *p = hak_malloc(500);

    memset(p, 0x66, 500);
    check(hak_realloc(p + 16, 100) == NULL);
    check_eq(stats_now().invalid_frees, 1);
    for (unsigned i = 0; i < 500; i++)
        check_eq(p[i], 0x66);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_freed_twice_at_once_is_reported_in_every_class_with_a_word),
        cmocka_unit_test(a_block_freed_twice_with_others_between_is_reported),
        cmocka_unit_test(a_block_freed_twice_after_it_went_back_to_its_slab_is_reported),
        cmocka_unit_test(a_block_freed_twice_after_its_slab_became_empty_is_reported),
        cmocka_unit_test(a_block_freed_twice_by_two_threads_is_reported),
        cmocka_unit_test(realloc_of_a_freed_block_is_reported_and_gives_nothing_out_twice),
        cmocka_unit_test(pointers_into_a_block_are_no_blocks),
        cmocka_unit_test(what_was_never_handed_out_is_no_block),
        cmocka_unit_test(a_superslab_s_header_is_no_block),
        cmocka_unit_test(the_tail_behind_the_last_block_is_no_block),
        cmocka_unit_test(blocks_of_an_empty_slab_of_c0_are_no_blocks),
        cmocka_unit_test(realloc_of_what_is_no_block_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
