/* SuperSlabs, slabs, and the remote queue between threads. */
#include "superslab.h"

#include <string.h>

#include "owner.h"
#include "scenario.h"

SCENARIO(superslabs_are_aligned_to_their_size_and_found_by_every_address)
{
    for (unsigned lg = SS_LG_MIN; lg <= SS_LG_MAX; lg++) {
        uint64_t before = ss_mapped_bytes();
        size_t size = (size_t)1 << lg;
        struct superslab *ss = ss_map(lg, HAK_POOL);
        char *bytes = (char *)ss;

        check(ss != NULL);
        check_eq((uintptr_t)ss % size, 0);
        check_eq(ss->lg, lg);
        check_eq(ss->kind, HAK_POOL);
        check_eq(ss->slabs, size / SLAB_SIZE);
        check_eq(ss_mapped_bytes() - before, size);
        for (size_t off = 0; off < size; off += 4096) {
            check(ss_of(bytes + off) == ss);
            check_eq(ss_slab(ss, bytes + off) - ss->slab, off / SLAB_SIZE);
        }
        check(ss_of(bytes + size - 1) == ss);
        check(ss_of(bytes - 1) != ss);
        check(ss_of(bytes + size) != ss);
        /* Usable to its last byte. */
        bytes[size - 1] = 1;
        ss_unmap(ss);
        check(ss_of(bytes) == NULL);
        check(ss_of(bytes + size - 1) == NULL);
        check_eq(ss_mapped_bytes(), before);
    }
}

SCENARIO(a_new_superslab_has_all_its_slabs_unused)
{
    static const uint32_t all[] = {0xff, 0xffff, 0xffffffff};

    for (unsigned lg = SS_LG_MIN; lg <= SS_LG_MAX; lg++) {
        struct superslab *ss = ss_map(lg, HAK_LEGACY);

        check_eq(ss->unused, all[lg - SS_LG_MIN]);
        for (unsigned no = 0; no < ss->slabs; no++) {
            check_eq(ss_info(ss)[no], 0);
            check_eq(info_state(ss_info(ss)[no]), SLAB_UNUSED);
            check_eq(ss->slab[no].gen, 0);
            check(ss->slab[no].owner == NULL);
        }
    }
}

SCENARIO(blocks_begin_behind_the_header_and_end_with_their_slab)
{
    struct superslab *ss = ss_map(21, HAK_POOL);

    for (unsigned no = 0; no < ss->slabs; no++) {
        char *slab = (char *)ss + (size_t)no * 65536;

        check(slab_blocks(ss, no) == slab + (no == 0 ? 2048 : 0));
        check(slab_ss(&ss->slab[no]) == ss);
        check_eq(slab_no(&ss->slab[no]), no);
        for (unsigned c = 0; c < CLASSES; c++)
            check(slab_blocks(ss, no) + (size_t)slab_capacity(c, no) * geometry[c].stride <=
                  slab + 65536);
    }
}

SCENARIO(the_info_word_keeps_class_state_and_carved_apart)
{
    for (unsigned c = 0; c < CLASSES; c++)
        for (unsigned st = SLAB_UNUSED; st <= SLAB_EMPTY_LISTED; st++)
            for (unsigned carved = 0; carved <= 8192; carved += 31) {
                uint32_t info = info_make(c, (enum slab_state)st, carved);

                check_eq(info_cls(info), c);
                check_eq(info_state(info), st);
                check_eq(info_carved(info), carved);
            }
}

/* A slab of C2 with its first n blocks carved and handed out. */
static struct slab *bound(struct owner *o, unsigned n)
{
    struct slab *s = &ss_map(SS_LG_MIN, HAK_POOL)->slab[1];

    slab_bind(s, o, 2, 0);
    slab_set_info(s, info_make(2, SLAB_ACTIVE, n));
    s->used = (uint16_t)n;
    return s;
}

static struct block *nth(const struct slab *s, unsigned n)
{
    return (struct block *)(slab_blocks(slab_ss(s), slab_no(s)) + n * 32);
}

SCENARIO(binding_counts_lives_and_keeps_the_blocks_of_the_same_class_only)
{
    static struct owner o;
    struct slab *s = bound(&o, 2);
    uint32_t was;

    check_eq(s->gen, 1);
    check(s->owner == &o);
    check_eq(slab_ref(s).gen, 1);
    check_eq(slab_ref(s).cls, 2);
    /* EMPTY with two blocks on its freelist, then bound to the same class again. */
    block_link_in_slab(nth(s, 1), NULL, 2);
    block_link_in_slab(nth(s, 0), nth(s, 1), 2);
    s->freelist = nth(s, 0);
    s->nfree = 2;
    was = info_make(2, SLAB_EMPTY, 0);
    slab_bind(s, &o, 2, was);
    check_eq(s->gen, 2);
    check_eq(s->used, 0);
    check_eq(info_carved(slab_info(s)), 2);
    check(s->freelist == nth(s, 0));
    slab_bind(s, &o, 9, was);
    check_eq(s->gen, 3);
    check_eq(slab_cls(s), 9);
    check_eq(s->nfree, 0);
    check_eq(info_carved(slab_info(s)), 0);
    check(s->freelist == NULL);
}

SCENARIO(the_first_to_push_on_an_empty_queue_is_to_tell_the_owner)
{
    static struct owner o;
    struct slab *s = bound(&o, 4);
    struct block *chain;

    check_eq(slab_remote_push(s, nth(s, 0), nth(s, 0), 2), 0);
    check_eq(s->remote & REMOTE_FLAGS, REMOTE_QUEUED);
    block_link_in_slab(nth(s, 1), nth(s, 2), 2);
    check_eq(slab_remote_push(s, nth(s, 1), nth(s, 2), 2), REMOTE_QUEUED);
    /* The owner looks without having been told: the one who tells is still on his way. */
    chain = slab_remote_take(s, 0);
    check(chain == nth(s, 1));
    check_eq(s->remote, REMOTE_QUEUED);
    check_eq(slab_remote_collect(s, chain, 2), 3);
    check_eq(s->nfree, 3);
    check_eq(s->used, 1);
    check_eq(slab_remote_push(s, nth(s, 3), nth(s, 3), 2), REMOTE_QUEUED);
    chain = slab_remote_take(s, REMOTE_QUEUED);
    check_eq(s->remote, 0);
    check_eq(slab_remote_collect(s, chain, 2), 1);
    check_eq(s->used, 0);
    check_eq(slab_remote_push(s, nth(s, 3), nth(s, 3), 2), 0);
}

SCENARIO(nobody_is_told_about_a_slab_without_an_owner)
{
    static struct owner o;
    struct slab *s = bound(&o, 2);

    atomic_fetch_or(&s->remote, REMOTE_UNOWNED);
    check_eq(slab_remote_push(s, nth(s, 0), nth(s, 0), 2), REMOTE_UNOWNED);
    check_eq(slab_remote_push(s, nth(s, 1), nth(s, 1), 2), REMOTE_UNOWNED);
    check_eq(s->remote & REMOTE_FLAGS, REMOTE_UNOWNED);
    check_eq(slab_remote_collect(s, slab_remote_take(s, REMOTE_UNOWNED), 2), 2);
    check_eq(s->remote, 0);
    check_eq(stats_now().hdr_resets, 0);
}

SCENARIO(a_damaged_link_in_a_remote_queue_cuts_it_and_keeps_count)
{
    static struct owner o;
    struct slab *s = bound(&o, 3);

    for (unsigned i = 0; i < 3; i++)
        (void)slab_remote_push(s, nth(s, i), nth(s, i), 2);
    nth(s, 1)->next = (struct block *)0x10;
    check_eq(slab_remote_collect(s, slab_remote_take(s, REMOTE_QUEUED), 2), 1);
    check_eq(stats_now().hdr_resets, 1);
    /* The damaged one and the one behind it stay used: never handed out again. */
    check_eq(s->used, 2);
    check_eq(s->nfree, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(superslabs_are_aligned_to_their_size_and_found_by_every_address),
        cmocka_unit_test(a_new_superslab_has_all_its_slabs_unused),
        cmocka_unit_test(blocks_begin_behind_the_header_and_end_with_their_slab),
        cmocka_unit_test(the_info_word_keeps_class_state_and_carved_apart),
        cmocka_unit_test(binding_counts_lives_and_keeps_the_blocks_of_the_same_class_only),
        cmocka_unit_test(the_first_to_push_on_an_empty_queue_is_to_tell_the_owner),
        cmocka_unit_test(nobody_is_told_about_a_slab_without_an_owner),
        cmocka_unit_test(a_damaged_link_in_a_remote_queue_cuts_it_and_keeps_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
