/* Someone writes to a block after freeing it: reported wherever the block waits, never followed. */
#include <stdio.h>
#include <string.h>

#include "scenario.h"
#include "tiny.h"
#include "witness.h"

#define N 16

/* N blocks of class 6 on the calling thread's list, block[N-1] first; the list holds no others. */
static void freed(void)
{
    witness_begin();
    fill_blocks(6, 0, 200);
    hak_drain();
    while (tls.sll[6].head)
        (void)hak_malloc(512);
    for (unsigned i = 0; i < N; i++)
        hak_free(block[i]);
}

static void damage_header(unsigned i)
{
    ((unsigned char *)block[i])[8] ^= 0xff;
}

static void damage_link(unsigned i)
{
    *(uintptr_t *)block[i] ^= 0x414141;
}

/* Allocates n blocks of class 6: none twice, none of those that are still the program's. */
static void hand_out(unsigned n)
{
    for (unsigned i = 1000; i < 1000 + n; i++) {
        block[i] = hak_malloc(512);
        memset(block[i], 0, 512);
        for (unsigned j = N; j < i; j++)
            check(block[i] != block[j]);
    }
}

/* The n blocks handed out are none of those that were freed. */
static void none_of_the_freed(unsigned n)
{
    for (unsigned i = 1000; i < 1000 + n; i++)
        for (unsigned j = 0; j < N; j++)
            check(block[i] != block[j]);
}

static void reported(unsigned times, unsigned i, enum hak_word_where where)
{
    const struct hak_ev_hdr_reset *e;

    if (stats_now().hdr_resets != times)
        fprintf(stderr, "damaged: block %u of %u in the order of their frees\n", i, N);
    check_eq(stats_now().hdr_resets, times);
    e = &witness_nth(HAK_EV_hdr_reset, times - 1)->hdr_reset;
    check_eq(e->base, (uintptr_t)block[i]);
    check_eq(e->cls, 6);
    check_eq(e->expect, 0xa6);
    check_eq(e->count, times - 1);
    check_eq(e->where, where);
}

SCENARIO(a_header_overwritten_in_the_list_is_reset_when_popped)
{
    freed();
    damage_header(N - 1);
    damage_header(N - 3);
    check(hak_malloc(512) == block[N - 1]);
    reported(1, N - 1, HAK_AT_POP);
    check_eq(witness_nth(HAK_EV_hdr_reset, 0)->hdr_reset.got, 0x59);
    check_eq(said_times("[TLS_SLL_HDR_RESET] cls=6 base=0x"), 1);
    check_eq(said_times("got=0x59 expect=0xa6 count=0"), 1);
    check(hak_malloc(512) == block[N - 2]);
    check(hak_malloc(512) == block[N - 3]);
    reported(2, N - 3, HAK_AT_POP);
    check(hak_malloc(512) == block[N - 4]);
    check_eq(sll_count(6), N - 4);
}

SCENARIO(a_link_overwritten_in_the_list_cuts_it)
{
    freed();
    damage_link(N - 3);
    check(hak_malloc(512) == block[N - 1]);
    check(hak_malloc(512) == block[N - 2]);
    hand_out(500);
    reported(1, N - 3, HAK_AT_POP);
    none_of_the_freed(500);
    check_eq(stats_now().hdr_resets, 1);
}

SCENARIO(a_block_overwritten_whole_is_reset_and_cuts_the_list)
{
    for (unsigned i = 0; i < 4; i++) {
        freed();
        memset(block[N - 1], "\x00\xff\x41\xa6"[i], 512);
        hand_out(500);
        reported(i + 1, N - 1, HAK_AT_POP);
        none_of_the_freed(500);
        /* It may be in use: nobody has touched it. */
        for (unsigned b = 0; b < 512; b++)
            check_eq(((char *)block[N - 1])[b], "\x00\xff\x41\xa6"[i]);
    }
}

SCENARIO(every_place_in_the_list_is_checked_when_it_drains)
{
    for (unsigned i = 0; i < N; i++) {
        static unsigned times;

        freed();
        times = (unsigned)stats_now().hdr_resets;
        damage_header(i);
        hak_drain();
        reported(times + 1, i, HAK_AT_DRAIN);
        hand_out(100);
        check_eq(stats_now().hdr_resets, times + 1);
        for (unsigned b = 1000; b < 1100; b++)
            hak_free(block[b]);
    }
}

SCENARIO(every_link_in_the_list_is_checked_when_it_drains)
{
    for (unsigned i = 0; i < N; i++) {
        unsigned times = (unsigned)stats_now().hdr_resets;

        freed();
        damage_link(i);
        hak_drain();
        reported(times + 1, i, HAK_AT_DRAIN);
        hand_out(100);
        check_eq(stats_now().hdr_resets, times + 1);
    }
}

SCENARIO(the_last_block_s_link_is_checked_too)
{
    /* What a program may leave in the first field of something it freed. */
    static const uintptr_t link[] = {UINTPTR_MAX, 1, 0x4141414141414141, 0xdeadbeefdeadbeef};

    for (unsigned i = 0; i < sizeof(link) / sizeof(link[0]); i++) {
        freed();
        while (sll_count(6) > 1)
            (void)hak_malloc(512);
        *(uintptr_t *)block[0] = link[i];
        check(hak_malloc(512) != block[0]);
        reported(i + 1, 0, HAK_AT_POP);
    }
}

SCENARIO(a_partial_drain_checks_all_that_it_gives_back)
{
    uint32_t limit, half;

    witness_begin();
    fill_blocks(6, 0, 200);
    hak_drain();
    limit = tls.limit[6];
    half = limit / 2;
    check(limit < 200);
    for (unsigned i = 0; i < limit; i++)
        hak_free(block[i]);
    check_eq(sll_count(6), limit);
    /* The first and the last that the next free drains, one between, and one that stays. */
    damage_header(limit - 1);
    damage_header(limit - half);
    damage_header(limit - half / 2);
    damage_header(limit - half - 1);
    hak_free(block[limit]);
    check_eq(sll_count(6), limit - half + 1);
    check_eq(stats_now().hdr_resets, 3);
}

SCENARIO(a_header_overwritten_in_the_slab_is_reset_when_taken)
{
    freed();
    hak_drain();
    damage_header(5);
    hand_out(200);
    reported(1, 5, HAK_AT_REFILL);
    hand_out(200);
    check_eq(stats_now().hdr_resets, 1);
}

SCENARIO(a_link_overwritten_in_the_slab_cuts_its_freelist)
{
    freed();
    hak_drain();
    for (unsigned i = 0; i < N; i++)
        damage_link(i);
    hand_out(500);
    check(stats_now().hdr_resets >= 1);
    for (unsigned i = 1000; i < 1500; i++)
        hak_free(block[i]);
    hak_drain();
    hand_out(500);
}

static void free_n(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < N; i++)
        hak_free(block[i]);
}

SCENARIO(what_another_thread_freed_is_checked_in_its_queue)
{
    witness_begin();
    fill_blocks(6, 0, 200);
    in_a_thread(free_n, NULL);
    damage_header(3);
    hak_drain();
    reported(1, 3, HAK_AT_REMOTE_DRAIN);
    hand_out(200);
    check_eq(stats_now().hdr_resets, 1);
}

SCENARIO(a_queue_with_a_damaged_link_is_cut_and_its_slab_never_counts_as_empty)
{
    witness_begin();
    fill_blocks(6, 0, 100);
    in_a_thread(free_n, NULL);
    damage_link(3);
    free_blocks(6, N, 100);
    hak_drain();
    reported(1, 3, HAK_AT_REMOTE_DRAIN);
    /* What lies behind the damage is given to nobody. */
    check_eq(class_now(6).active, 1);
    check(slab_of(block[0])->used > 0);
    hand_out(100);
    check_eq(stats_now().hdr_resets, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_overwritten_in_the_list_is_reset_when_popped),
        cmocka_unit_test(a_link_overwritten_in_the_list_cuts_it),
        cmocka_unit_test(a_block_overwritten_whole_is_reset_and_cuts_the_list),
        cmocka_unit_test(every_place_in_the_list_is_checked_when_it_drains),
        cmocka_unit_test(every_link_in_the_list_is_checked_when_it_drains),
        cmocka_unit_test(the_last_block_s_link_is_checked_too),
        cmocka_unit_test(a_partial_drain_checks_all_that_it_gives_back),
        cmocka_unit_test(a_header_overwritten_in_the_slab_is_reset_when_taken),
        cmocka_unit_test(a_link_overwritten_in_the_slab_cuts_its_freelist),
        cmocka_unit_test(what_another_thread_freed_is_checked_in_its_queue),
        cmocka_unit_test(a_queue_with_a_damaged_link_is_cut_and_its_slab_never_counts_as_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
