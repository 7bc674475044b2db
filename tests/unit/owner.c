/* An owner's slabs: blocks out, blocks back, and where each slab waits meanwhile. */
#include "owner.h"

#include "pool.h"
#include "process.h"
#include "scenario.h"

static struct owner mine, theirs;

static struct slab *begin(unsigned cls)
{
    struct slab *s;

    process_init();
    owner_init(&mine, 1001);
    owner_init(&theirs, 1002);
    s = pool_acquire(&mine, cls, 8);
    check(s != NULL);
    owner_set_current(&mine, s, cls);
    return s;
}

/* Another slab of the class becomes the current one. */
static struct slab *next(unsigned cls)
{
    struct slab *s = pool_acquire(&mine, cls, 8);

    check(s != NULL);
    owner_set_current(&mine, s, cls);
    return s;
}

static unsigned length(struct chain c, unsigned cls)
{
    unsigned n = 0;

    for (struct block *b = c.head; b; b = block_next(b, cls))
        n++;
    check_eq(n, c.count);
    return n;
}

/* All blocks of s, the current slab of which none was taken yet. */
static struct chain take_all(struct slab *s, unsigned cls)
{
    struct chain all = {NULL, 0};

    while (info_carved(slab_info(s)) < slab_capacity(cls, slab_no(s))) {
        struct chain c = owner_take(&mine, cls, 100000);
        struct block *last = c.head;

        check(last != NULL);
        while (block_next(last, cls))
            last = block_next(last, cls);
        block_link(last, all.head, cls);
        all.head = c.head;
        all.count += c.count;
    }
    return all;
}

SCENARIO(fresh_blocks_come_in_address_order)
{
    struct slab *s = begin(4);
    char *expect = slab_blocks(slab_ss(s), slab_no(s));

    for (unsigned round = 0; round < 3; round++) {
        struct chain c = owner_take(&mine, 4, 5);

        check_eq(length(c, 4), 5);
        for (struct block *b = c.head; b; b = b->next, expect += 128)
            check((char *)b == expect);
        check_eq(s->used, 5 * (round + 1));
    }
    check_eq(info_carved(slab_info(s)), 15);
}

SCENARIO(a_slab_gives_its_capacity_and_then_nothing)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        struct slab *s = begin(c);
        struct chain all = take_all(s, c);

        check_eq(length(all, c), slab_capacity(c, slab_no(s)));
        check_eq(s->used, all.count);
        check(owner_take(&mine, c, 1).head == NULL);
        check(mine.cls[c].current == NULL);
        check(mine.cls[c].full.next == &s->link);
        owner_give(&mine, all, c);
        /* Nothing live: it went to the pool. */
        check(s->owner == NULL);
        check(mine.cls[c].full.next == &mine.cls[c].full);
    }
}

SCENARIO(so_much_is_carved_at_once_as_a_page_holds)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        uint32_t stride = geometry[c].stride;

        begin(c);
        check_eq(owner_take(&mine, c, 100000).count, stride > 1024 ? 4 : 4096 / stride);
    }
}

SCENARIO(a_full_slab_is_found_again_once_it_has_a_block)
{
    struct slab *a = begin(7), *b;
    struct chain all = take_all(a, 7), one = {all.head, 1}, c;

    check(owner_take(&mine, 7, 1).head == NULL);
    all.head = all.head->next;
    one.head->next = NULL;
    block_link(one.head, NULL, 7);
    owner_give(&mine, one, 7);
    check(mine.cls[7].usable.next == &a->link);
    check_eq(a->used, 30);
    b = next(7);
    /* Its single block first, then what was never carved. */
    c = owner_take(&mine, 7, 100);
    check_eq(length(c, 7), 1);
    check(c.head == one.head);
    check(mine.cls[7].current == a);
    check(mine.cls[7].usable.next == &b->link);
    c = owner_take(&mine, 7, 100);
    check(mine.cls[7].current == b);
    check_eq(b->used, c.count);
    check(mine.cls[7].full.next == &a->link);
}

SCENARIO(blocks_given_back_are_taken_before_fresh_ones)
{
    struct slab *s = begin(3);
    struct chain c = owner_take(&mine, 3, 8), again;

    owner_give(&mine, owner_take(&mine, 3, 4), 3);
    check_eq(s->used, 8);
    check_eq(s->nfree, 4);
    again = owner_take(&mine, 3, 4);
    check_eq(length(again, 3), 4);
    check_eq(info_carved(slab_info(s)), 12);
    check_eq(s->nfree, 0);
    check_eq(length(c, 3), 8);
}

SCENARIO(every_free_block_is_on_the_freelist_or_used)
{
    struct slab *s = begin(5);
    uint32_t random = 1;
    struct chain kept[16] = {{NULL, 0}};

    for (unsigned i = 0; i < 2000; i++) {
        struct chain *k = &kept[(random = random * 1664525 + 1013904223) >> 28];
        unsigned nfree = 0;

        if (k->head) {
            owner_give(&mine, *k, 5);
            *k = (struct chain){NULL, 0};
        } else {
            *k = owner_take(&mine, 5, random >> 8 & 15);
        }
        for (struct block *b = s->freelist; b; b = b->next)
            nfree++;
        check_eq(s->nfree, nfree);
        if (s->owner != &mine)
            owner_set_current(&mine, s = pool_acquire(&mine, 5, 8), 5);
        else
            check_eq(s->used + s->nfree, info_carved(slab_info(s)));
    }
}

SCENARIO(another_owner_s_blocks_go_to_their_slab_s_queue)
{
    struct slab *s = begin(6);
    struct chain c = owner_take(&mine, 6, 6);

    owner_give(&theirs, c, 6);
    check(s->owner == &mine);
    check_eq(s->used, 6);
    check_eq(s->nfree, 0);
    check(mine.cls[6].pending == s);
    check(s->pending_next == NULL);
    check_eq(s->remote & REMOTE_FLAGS, REMOTE_QUEUED);
    owner_collect(&mine);
    /* Nothing live: EMPTY by a remote drain just as by a drain of its own. */
    check(mine.cls[6].pending == NULL);
    check_eq(s->used, 0);
    check(s->owner == NULL);
    check_eq(class_now(6).listed, 1);
}

SCENARIO(a_refill_takes_what_others_gave_back_before_it_carves)
{
    struct slab *s = begin(6);
    struct chain c = owner_take(&mine, 6, 6), again;

    (void)owner_take(&mine, 6, 2);
    owner_give(&theirs, c, 6);
    again = owner_take(&mine, 6, 6);
    check_eq(length(again, 6), 6);
    check_eq(info_carved(slab_info(s)), 8);
    check_eq(s->used, 8);
}

SCENARIO(several_slabs_wait_on_the_pending_list)
{
    struct slab *s[8];
    struct chain c[8];

    s[0] = begin(7);
    for (unsigned i = 0; i < 8; i++) {
        s[i] = i ? next(7) : s[0];
        c[i] = take_all(s[i], 7);
        check(owner_take(&mine, 7, 1).head == NULL);
    }
    for (unsigned i = 0; i < 8; i++)
        owner_give(&theirs, c[i], 7);
    check(mine.cls[7].pending == s[7]);
    owner_collect(&mine);
    check_eq(class_now(7).listed, 8);
    check_eq(class_now(7).active, 0);
}

SCENARIO(an_owner_that_goes_publishes_what_is_still_in_use)
{
    struct slab *a = begin(7), *b;
    struct chain kept = take_all(a, 7), c;

    check(owner_take(&mine, 7, 1).head == NULL);
    b = next(7);
    c = owner_take(&mine, 7, 3);
    check_eq(owner_publish_all(&mine), 2);
    check(a->owner == NULL && b->owner == NULL);
    check_eq(a->remote & REMOTE_FLAGS, REMOTE_UNOWNED);
    check(mine.cls[7].current == NULL);
    check(mine.cls[7].full.next == &mine.cls[7].full);
    /* Blocks that come back now wait for whoever adopts. */
    owner_give(&theirs, c, 7);
    check_eq(b->remote & REMOTE_FLAGS, REMOTE_UNOWNED);
    owner_adopt(&theirs, b, 7);
    check(b->owner == &theirs);
    check_eq(b->used, 0);
    check_eq(b->nfree, 3);
    check_eq(b->remote, 0);
    check_eq(length(kept, 7), a->used);
}

SCENARIO(an_owner_that_goes_gives_what_is_not_in_use_to_the_pool)
{
    struct slab *s = begin(7);

    owner_give(&theirs, owner_take(&mine, 7, 20), 7);
    check_eq(owner_publish_all(&mine), 0);
    check_eq(info_state(slab_info(s)), SLAB_EMPTY_LISTED);
    check_eq(class_now(7).active, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_blocks_come_in_address_order),
        cmocka_unit_test(a_slab_gives_its_capacity_and_then_nothing),
        cmocka_unit_test(so_much_is_carved_at_once_as_a_page_holds),
        cmocka_unit_test(a_full_slab_is_found_again_once_it_has_a_block),
        cmocka_unit_test(blocks_given_back_are_taken_before_fresh_ones),
        cmocka_unit_test(every_free_block_is_on_the_freelist_or_used),
        cmocka_unit_test(another_owner_s_blocks_go_to_their_slab_s_queue),
        cmocka_unit_test(a_refill_takes_what_others_gave_back_before_it_carves),
        cmocka_unit_test(several_slabs_wait_on_the_pending_list),
        cmocka_unit_test(an_owner_that_goes_publishes_what_is_still_in_use),
        cmocka_unit_test(an_owner_that_goes_gives_what_is_not_in_use_to_the_pool),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
