/* Memory that is idle goes back to the OS: purged first, unmapped later, never while in use. */
#include "reclaim.h"

#include <sys/mman.h>
#include <unistd.h>

#include "owner.h"
#include "pool.h"
#include "process.h"
#include "registry.h"
#include "scenario.h"
#include "thread.h"
#include "tiny.h"
#include "witness.h"

/* C7 blocks of a SuperSlab of 512 KiB. */
#define PER_SS 255

static void begin(void)
{
    process_init();
    config.ss_lg = 19;
    witness_begin();
}

/* Pages of the slab that are in memory. */
static unsigned resident(struct slab *s)
{
    unsigned char page[16];
    unsigned n = 0;

    check(mincore((char *)slab_ss(s) + ((size_t)slab_no(s) << SLAB_LG), SLAB_SIZE, page) == 0);
    for (unsigned i = 0; i < 16; i++)
        n += page[i] & 1;
    return n;
}

static void fill_and_empty(unsigned from, unsigned to)
{
    fill_blocks(7, from, to);
    free_blocks(7, from, to);
    hak_drain();
}

static void age(unsigned looks)
{
    while (looks--)
        reclaim_aged();
}

SCENARIO(what_stays_empty_is_purged_but_for_a_cushion)
{
    struct slab *s;
    struct hak_ev_superslab_purge event;

    begin();
    fill_blocks(7, 0, PER_SS);
    s = slab_of(block[40]);
    free_blocks(7, 0, PER_SS);
    hak_drain();
    check_eq(class_now(7).listed, 8);
    check_eq(resident(s), 16);
    age(1);
    check_eq(witness_count(HAK_EV_superslab_purge), 0);
    age(1);
    check_eq(witness_count(HAK_EV_superslab_purge), 1);
    event = witness_nth(HAK_EV_superslab_purge, 0)->superslab_purge;
    check_eq(event.ss, (uintptr_t)slab_ss(s));
    check_eq(event.slabs, 7);
    check_eq(__builtin_popcount(event.mask), 7);
    check_eq(event.bytes, 7 * SLAB_SIZE - 4096);
    check_eq(resident(s), 0);
    check_eq(class_now(7).listed, 8);
    age(5);
    check_eq(witness_count(HAK_EV_superslab_purge), 1);
    check(reclaim_done());
}

SCENARIO(a_purged_slab_serves_again_in_a_next_life_and_carves_anew)
{
    begin();
    fill_and_empty(0, PER_SS);
    age(2);
    fill_blocks(7, 0, PER_SS);
    check_eq(class_now(7).acquires[HAK_STAGE_1], 8);
    check_eq(slab_of(block[40])->gen, 2);
    free_blocks(7, 0, PER_SS);
    check_eq(stats_now().hdr_resets, 0);
    check_eq(stats_now().superslabs[0], 1);
}

SCENARIO(a_slab_in_use_between_two_looks_is_not_purged)
{
    begin();
    for (unsigned i = 0; i < 6; i++) {
        fill_and_empty(0, PER_SS);
        age(1);
    }
    check_eq(witness_count(HAK_EV_superslab_purge), 0);
}

SCENARIO(live_blocks_keep_their_slab_and_what_is_in_them)
{
    begin();
    fill_blocks(7, 0, PER_SS);
    free_blocks(7, 0, 100);
    free_blocks(7, 101, PER_SS);
    hak_drain();
    age(4);
    check_eq(witness_count(HAK_EV_superslab_purge), 1);
    check_eq(class_now(7).active, 1);
    check_eq(reclaim_now(), true);
    /* Checks what fill_blocks() wrote. */
    free_blocks(7, 100, 101);
}

SCENARIO(idle_superslabs_are_unmapped_but_one)
{
    begin();
    fill_and_empty(0, 8 * PER_SS);
    check_eq(stats_now().mapped_bytes, 8 << 19);
    age(8);
    /* One idle one stays, and the one with the cushion's slab. */
    check_eq(stats_now().mapped_bytes, 2 << 19);
    check_eq(witness_count(HAK_EV_superslab_unmap), 6);
    check_eq(class_now(7).listed, 16);
    check(reclaim_done());
    for (unsigned i = 0; i < 6; i++) {
        const void *gone =
            (const void *)(uintptr_t)witness_nth(HAK_EV_superslab_unmap, i)->superslab_unmap.ss;

        check(ss_of(gone) == NULL);
    }
    /* Stage 1 passes by the slots of what is gone. */
    fill_and_empty(0, 8 * PER_SS);
    check_eq(stats_now().superslabs[0], 14);
    check_eq(registry_count(), 8);
}

SCENARIO(nothing_is_unmapped_while_a_thread_looks_for_a_slab)
{
    begin();
    fill_and_empty(0, 4 * PER_SS);
    pool_enter(tls.owner);
    check(reclaim_now());
    check_eq(stats_now().mapped_bytes, 4 << 19);
    check(registry_ss(1) == NULL);
    pool_leave(tls.owner);
    age(1);
    check_eq(stats_now().mapped_bytes, 0);
}

SCENARIO(all_that_is_idle_goes_at_once_when_it_must)
{
    begin();
    fill_and_empty(0, 3 * PER_SS);
    check(reclaim_now());
    check_eq(stats_now().mapped_bytes, 0);
    check_eq(class_now(7).listed, 0);
    check(!reclaim_now());
}

static void leave_one(void *place)
{
    fill_blocks(7, 0, PER_SS);
    *(void **)place = block[0];
    free_blocks(7, 1, PER_SS);
}

SCENARIO(the_last_block_of_an_ended_thread_s_slab_sets_it_free)
{
    void *last;

    begin();
    in_a_thread(leave_one, &last);
    check_eq(class_now(7).active, 1);
    hak_free(last);
    hak_drain();
    check_eq(class_now(7).active, 1);
    pool_look_after_published(tls.owner);
    check_eq(class_now(7).active, 0);
    check_eq(class_now(7).listed, 8);
    check_eq(witness_count(HAK_EV_slab_adopt), 1);
    /* Other classes may have it now. */
    check(reclaim_now());
    check_eq(stats_now().mapped_bytes, 0);
}

static void leave_two(void *place)
{
    fill_blocks(7, 0, 2);
    ((void **)place)[0] = block[0];
    ((void **)place)[1] = block[1];
}

SCENARIO(a_slab_of_an_ended_thread_that_is_still_in_use_stays_to_be_adopted)
{
    void *left[2];

    begin();
    in_a_thread(leave_two, left);
    hak_free(left[0]);
    hak_drain();
    pool_look_after_published(tls.owner);
    check_eq(class_now(7).active, 1);
    check(slab_of(left[1])->owner == NULL);
    check_eq(slab_of(left[1])->used, 1);
    check_eq(witness_count(HAK_EV_slab_publish), 2);
    /* Nothing new came back: nothing to tell. */
    pool_look_after_published(tls.owner);
    check_eq(witness_count(HAK_EV_slab_publish), 2);
    hak_free(left[1]);
    hak_drain();
    pool_look_after_published(tls.owner);
    check_eq(class_now(7).active, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stays_empty_is_purged_but_for_a_cushion),
        cmocka_unit_test(a_purged_slab_serves_again_in_a_next_life_and_carves_anew),
        cmocka_unit_test(a_slab_in_use_between_two_looks_is_not_purged),
        cmocka_unit_test(live_blocks_keep_their_slab_and_what_is_in_them),
        cmocka_unit_test(idle_superslabs_are_unmapped_but_one),
        cmocka_unit_test(nothing_is_unmapped_while_a_thread_looks_for_a_slab),
        cmocka_unit_test(all_that_is_idle_goes_at_once_when_it_must),
        cmocka_unit_test(the_last_block_of_an_ended_thread_s_slab_sets_it_free),
        cmocka_unit_test(a_slab_of_an_ended_thread_that_is_still_in_use_stays_to_be_adopted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
