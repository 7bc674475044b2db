/* Blocks that share a cache line with another thread's: they are not handed out again by whoever
 * freed them, and find their way home. */
#include <string.h>

#include "owner.h"
#include "scenario.h"
#include "tiny.h"
#include "witness.h"

#define BATCH 32

static uintptr_t queued(const void *p)
{
    return slab_of(p)->remote & ~REMOTE_FLAGS;
}

/* A thread that only frees has no lists. */
static void begin_thread(void)
{
    hak_free(hak_malloc(512));
}

static unsigned now_class;

static void free_one_and_allocate(void *p)
{
    uint32_t stride = geometry[now_class].stride;

    /* Another block first, so that the thread has blocks of its own. */
    hak_free(hak_malloc(stride));
    hak_free(p);
    check_eq(hak_malloc(stride) == p, stride % CACHE_LINE == 0);
}

SCENARIO(only_blocks_on_lines_of_their_own_serve_whoever_freed_them)
{
    for (now_class = 0; now_class < CLASSES; now_class++)
        in_a_thread(free_one_and_allocate, hak_malloc(geometry[now_class].stride));
}

static void free_all_but_one_of_a_batch(void *unused)
{
    (void)unused;
    begin_thread();
    for (unsigned i = 0; i < BATCH - 1; i++)
        hak_free(block[i]);
    check(!queued(block[0]));
    hak_free(block[BATCH - 1]);
    check(queued(block[0]));
    check_eq(tls.away[9].count, 0);
}

SCENARIO(they_leave_in_a_batch)
{
    const struct hak_ev_remote_push *e;

    witness_begin();
    fill_blocks(9, 0, BATCH);
    in_a_thread(free_all_but_one_of_a_batch, NULL);
    check_eq(witness_count(HAK_EV_remote_push), 1);
    e = &witness_nth(HAK_EV_remote_push, 0)->remote_push;
    check_eq(e->blocks, BATCH);
    check_eq(e->ss, (uintptr_t)ss_of(block[0]));
    check_eq(e->slab, slab_no(slab_of(block[0])));
}

static void free_five_and_refill(void *unused)
{
    (void)unused;
    begin_thread();
    for (unsigned i = 0; i < 5; i++)
        hak_free(block[i]);
    check(!queued(block[0]));
    check(hak_malloc(96) != NULL);
    check(queued(block[0]));
}

SCENARIO(a_refill_sends_what_waits)
{
    fill_blocks(9, 0, 20);
    in_a_thread(free_five_and_refill, NULL);
}

static void free_five(void *unused)
{
    (void)unused;
    begin_thread();
    for (unsigned i = 0; i < 5; i++)
        hak_free(block[i]);
}

SCENARIO(the_thread_s_end_sends_what_waits)
{
    fill_blocks(9, 0, 20);
    in_a_thread(free_five, NULL);
    check(queued(block[0]));
    free_blocks(9, 5, 20);
    hak_drain();
    check_eq(class_now(9).active, 0);
}

static void free_twice(void *p)
{
    begin_thread();
    hak_free(p);
    hak_free(p);
}

SCENARIO(a_second_free_of_one_that_waits_is_reported)
{
    for (unsigned c = 0; c < CLASSES; c++)
        in_a_thread(free_twice, hak_malloc(geometry[c].stride));
    check_eq(stats_now().double_frees, CLASSES);
    check_eq(stats_now().invalid_frees, 0);
}

static void free_inside(void *p)
{
    begin_thread();
    hak_free((char *)p + 1);
    hak_free((char *)p + 16);
}

SCENARIO(an_interior_pointer_into_another_s_block_is_reported)
{
    void *p = hak_malloc(96);

    memset(p, 0x55, 96);
    in_a_thread(free_inside, p);
    check_eq(stats_now().invalid_frees, 2);
    for (unsigned i = 0; i < 96; i++)
        check_eq(((unsigned char *)p)[i], 0x55);
}

static void adopt_and_free(void *unused)
{
    (void)unused;
    /* Takes over what the ended thread published. */
    check(slab_of(hak_malloc(96)) == slab_of(block[0]));
    hak_free(block[0]);
    check(hak_malloc(96) == block[0]);
}

static void fill_twenty(void *unused)
{
    (void)unused;
    fill_blocks(9, 0, 20);
}

SCENARIO(who_adopts_a_slab_keeps_its_blocks)
{
    check_eq(hak_set_cap(9, 1), 0);
    in_a_thread(fill_twenty, NULL);
    in_a_thread(adopt_and_free, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_blocks_on_lines_of_their_own_serve_whoever_freed_them),
        cmocka_unit_test(they_leave_in_a_batch),
        cmocka_unit_test(a_refill_sends_what_waits),
        cmocka_unit_test(the_thread_s_end_sends_what_waits),
        cmocka_unit_test(a_second_free_of_one_that_waits_is_reported),
        cmocka_unit_test(an_interior_pointer_into_another_s_block_is_reported),
        cmocka_unit_test(who_adopts_a_slab_keeps_its_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
