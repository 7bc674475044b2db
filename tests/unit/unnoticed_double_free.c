/* A block is freed, written to and freed again: its word is gone, so the second free cannot be told
 * from a first one. It is reported later, and no block in use is ever handed out or lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reclaim.h"
#include "scenario.h"
#include "tiny.h"
#include "witness.h"

#define LIVE 8000

static void scribble(void *p)
{
    memset(p, 0x5a, geometry[slab_cls(slab_of(p))].stride < 16 ? 8 : 16);
}

static uint64_t reports(void)
{
    struct hak_stats st = stats_now();

    check_eq(st.invalid_frees, 0);
    return st.hdr_resets + st.double_frees;
}

/* Blocks 0..n-1 of cls are freed but for those from keep on, which still hold what was written to
 * them; n more are handed out, and all are different and keep what is written to them. */
static void still_sound(unsigned cls, unsigned keep, unsigned n)
{
    fill_blocks(cls, LIVE, LIVE + n);
    for (unsigned i = LIVE; i < LIVE + n; i++) {
        for (unsigned j = keep; j < LIVE; j++)
            check(block[i] != block[j]);
        for (unsigned j = LIVE; j < i; j++)
            check(block[i] != block[j]);
    }
    for (unsigned i = keep; i < LIVE && block[i]; i++)
        check_eq(*(unsigned char *)block[i], i & 0xff);
    free_blocks(cls, LIVE, LIVE + n);
}

SCENARIO(twice_on_the_same_list)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        uint64_t before = reports();

        fill_blocks(c, 0, 20);
        for (unsigned i = 0; i < 10; i++)
            hak_free(block[i]);
        scribble(block[4]);
        hak_free(block[4]);
        still_sound(c, 10, 500);
        check(reports() > before);
        free_blocks(c, 10, 20);
    }
}

SCENARIO(twice_on_a_list_that_drains)
{
    for (unsigned i = 0; i < 10; i++) {
        fill_blocks(5, 0, 20);
        for (unsigned b = 0; b < 10; b++)
            hak_free(block[b]);
        scribble(block[i]);
        hak_free(block[i]);
        hak_drain();
        check(slab_of(block[15])->used <= info_carved(slab_info(slab_of(block[15]))));
        still_sound(5, 10, 500);
        check(reports() > i);
        free_blocks(5, 10, 20);
        hak_drain();
    }
}

SCENARIO(on_a_list_and_in_its_slab)
{
    fill_blocks(5, 0, 20);
    for (unsigned i = 0; i < 10; i++)
        hak_free(block[i]);
    hak_drain();
    scribble(block[4]);
    hak_free(block[4]);
    still_sound(5, 10, 500);
    hak_drain();
    check(reports() > 0);
    still_sound(5, 10, 500);
}

SCENARIO(a_block_that_is_whole_where_it_does_not_belong_is_a_double_free)
{
    witness_begin();
    fill_blocks(5, 0, 20);
    for (unsigned i = 0; i < 10; i++)
        hak_free(block[i]);
    /* Twice on the list: a ring of ten. Half of it goes back to the slab, which the rest leads to.
     */
    scribble(block[0]);
    hak_free(block[0]);
    hak_drain();
    still_sound(5, 10, 500);
    check(witness_count(HAK_EV_double_free) > 0);
    check_eq(witness_nth(HAK_EV_double_free, 0)->double_free.cls, 5);
    check(said_times("or one before it, was freed twice and written to in between") > 0);
}

static void free_ten(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 10; i++)
        hak_free(block[i]);
}

SCENARIO(on_a_list_and_in_a_remote_queue)
{
    fill_blocks(5, 0, 20);
    in_a_thread(free_ten, NULL);
    scribble(block[4]);
    hak_free(block[4]);
    hak_drain();
    still_sound(5, 10, 500);
    check(reports() > 0);
}

SCENARIO(twice_in_the_remote_queue)
{
    fill_blocks(5, 0, 20);
    in_a_thread(free_ten, NULL);
    for (unsigned i = 0; i < 10; i++)
        scribble(block[i]);
    in_a_thread(free_ten, NULL);
    hak_drain();
    still_sound(5, 10, 500);
    check(reports() > 0);
}

SCENARIO(more_blocks_come_back_than_are_in_use)
{
    struct slab *s;

    fill_blocks(5, 0, 20);
    s = slab_of(block[0]);
    for (unsigned i = 0; i < 19; i++)
        hak_free(block[i]);
    hak_drain();
    check_eq(s->used, 1);
    for (unsigned i = 0; i < 2; i++) {
        scribble(block[i]);
        hak_free(block[i]);
    }
    hak_drain();
    check(stats_now().double_frees > 0);
    check_eq(s->used, info_carved(slab_info(s)));
    still_sound(5, 19, 500);
    check_eq(info_state(slab_info(s)), SLAB_ACTIVE);
}

/* The only slab of class 5 counts as EMPTY, although block[19] is in use. */
static struct slab *empty_with_a_block_in_use(void)
{
    struct slab *s;

    witness_begin();
    fill_blocks(5, 0, 20);
    s = slab_of(block[19]);
    for (unsigned i = 0; i < 19; i++)
        hak_free(block[i]);
    hak_drain();
    scribble(block[4]);
    hak_free(block[4]);
    hak_drain();
    check_eq(class_now(5).active, 0);
    check_eq(reports(), 0);
    return s;
}

static void block_19_is_whole_and_can_be_freed(void)
{
    check_eq(stats_now().double_frees, 1);
    check_eq(witness_nth(HAK_EV_double_free, 0)->double_free.base, (uintptr_t)block[19]);
    free_blocks(5, 19, 20);
    hak_drain();
    check_eq(stats_now().invalid_frees, 0);
    still_sound(5, 20, 500);
}

SCENARIO(a_slab_with_a_block_in_use_is_not_bound_to_another_class)
{
    struct slab *s = empty_with_a_block_in_use();

    /* All eight slabs of the SuperSlab. */
    fill_blocks(4, 0, 8);
    while (stats_now().superslabs[0] < 2)
        check(hak_malloc(128) != NULL);
    check_eq(class_now(4).acquires[HAK_REBIND], 0);
    check_eq(slab_cls(s), 5);
    block_19_is_whole_and_can_be_freed();
}

SCENARIO(a_slab_with_a_block_in_use_is_not_purged)
{
    (void)empty_with_a_block_in_use();
    (void)reclaim_now();
    block_19_is_whole_and_can_be_freed();
}

SCENARIO(a_damaged_block_of_an_empty_slab_does_not_keep_its_memory)
{
    struct slab *s;

    fill_blocks(5, 0, 20);
    s = slab_of(block[0]);
    free_blocks(5, 0, 20);
    hak_drain();
    fill_blocks(6, 0, 1);
    ((unsigned char *)slab_blocks(slab_ss(s), slab_no(s)))[256 * 3 + 9] ^= 1;
    (void)reclaim_now();
    check_eq(stats_now().hdr_resets, 1);
    check_eq(stats_now().double_frees, 0);
    check_eq(s->nfree, 0);
    still_sound(5, LIVE, 500);
}

SCENARIO(of_the_smallest_class_every_free_block_is_known)
{
    witness_begin();
    fill_blocks(0, 0, 20);
    for (unsigned i = 0; i < 10; i++)
        hak_free(block[i]);
    for (unsigned i = 0; i < 10; i++)
        hak_free(block[i]);
    check_eq(stats_now().double_frees, 10);
    hak_drain();
    for (unsigned i = 0; i < 10; i++)
        hak_free(block[i]);
    check_eq(stats_now().double_frees, 20);
    still_sound(0, 10, 500);
    check_eq(stats_now().double_frees, 20);
}

SCENARIO(a_slab_of_the_smallest_class_with_a_ring_of_blocks_is_not_purged)
{
    struct slab *s;

    fill_blocks(0, 0, 20);
    s = slab_of(block[0]);
    for (unsigned i = 0; i < 19; i++)
        hak_free(block[i]);
    hak_drain();
    scribble(block[4]);
    hak_free(block[4]);
    hak_drain();
    check_eq(class_now(0).active, 0);
    check_eq(reports(), 0);
    (void)reclaim_now();
    check_eq(stats_now().double_frees, 1);
    check_eq(info_state(slab_info(s)), SLAB_ACTIVE);
    free_blocks(0, 19, 20);
}

/* ---- at random ---- */

#define SLOTS 600

static struct {
    unsigned char *p;
    unsigned cls;
    unsigned char fill;
} slot[SLOTS];

/* May p, freed earlier, be written to and freed again without that being another misuse? */
static bool is_still_free(const unsigned char *p)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (slot[i].p && p + 16 > slot[i].p && p < slot[i].p + geometry[slot[i].cls].stride)
            return false;
    return p && ss_of(p);
}

static void put(unsigned i, unsigned n)
{
    slot[i].cls = (unsigned)random() % CLASSES;
    slot[i].fill = (unsigned char)n;
    slot[i].p = hak_malloc(geometry[slot[i].cls].stride);
    check(slot[i].p != NULL);
    memset(slot[i].p, slot[i].fill, geometry[slot[i].cls].stride);
}

static void free_slot(void *i)
{
    hak_free(slot[(uintptr_t)i].p);
}

/* Frees the block in slot i, here or in a thread; it must hold what was written to it. */
static void *take(unsigned i)
{
    void *p = slot[i].p;

    for (uint32_t b = 0; b < geometry[slot[i].cls].stride; b++)
        check_eq(slot[i].p[b], slot[i].fill);
    if (random() % 100 == 0)
        in_a_thread(free_slot, (void *)(uintptr_t)i);
    else
        hak_free(p);
    slot[i].p = NULL;
    return p;
}

SCENARIO(at_random_no_block_in_use_is_ever_touched)
{
    void *freed[64] = {NULL};

    srandom(20231);
    for (unsigned n = 0; n < 60000; n++) {
        unsigned i = (unsigned)random() % SLOTS, f = n % 64;

        if (slot[i].p)
            freed[f] = take(i);
        else
            put(i, n);
        f = (unsigned)random() % 64;
        if (random() % 200 == 0 && is_still_free(freed[f])) {
            scribble(freed[f]);
            hak_free(freed[f]);
        }
        if (random() % 1000 == 0)
            hak_drain();
        if (random() % 4000 == 0)
            (void)reclaim_now();
    }
    for (unsigned i = 0; i < SLOTS; i++)
        if (slot[i].p)
            (void)take(i);
    check(stats_now().hdr_resets + stats_now().double_frees > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twice_on_the_same_list),
        cmocka_unit_test(twice_on_a_list_that_drains),
        cmocka_unit_test(on_a_list_and_in_its_slab),
        cmocka_unit_test(a_block_that_is_whole_where_it_does_not_belong_is_a_double_free),
        cmocka_unit_test(on_a_list_and_in_a_remote_queue),
        cmocka_unit_test(twice_in_the_remote_queue),
        cmocka_unit_test(more_blocks_come_back_than_are_in_use),
        cmocka_unit_test(a_slab_with_a_block_in_use_is_not_bound_to_another_class),
        cmocka_unit_test(a_slab_with_a_block_in_use_is_not_purged),
        cmocka_unit_test(a_damaged_block_of_an_empty_slab_does_not_keep_its_memory),
        cmocka_unit_test(of_the_smallest_class_every_free_block_is_known),
        cmocka_unit_test(a_slab_of_the_smallest_class_with_a_ring_of_blocks_is_not_purged),
        cmocka_unit_test(at_random_no_block_in_use_is_ever_touched),
    };

    slab_check_freelists = false;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
