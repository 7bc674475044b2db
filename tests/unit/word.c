/* The free block's link and word: what they notice, and what they must not mistake. */
#include "word.h"

#include <string.h>

#include "scenario.h"

/* As blocks lie: 16-byte aligned. */
static _Alignas(16) char room[4][64];

static struct block *at(unsigned i)
{
    return (struct block *)room[i];
}

static void flip(struct block *b, unsigned byte)
{
    ((unsigned char *)b)[byte] ^= 0x55;
}

SCENARIO(a_linked_block_is_intact_and_looks_free)
{
    for (unsigned c = 1; c < CLASSES; c++) {
        block_link(at(0), at(1), c);
        check(block_next(at(0), c) == at(1));
        check(block_intact(at(0), c));
        check(block_link_trusted(at(0), c));
        check(block_looks_free(at(0), c));
        block_link(at(0), NULL, c);
        check(block_intact(at(0), c));
    }
}

SCENARIO(the_header_byte_names_the_class)
{
    for (unsigned c = 1; c < CLASSES; c++) {
        block_link(at(0), at(1), c);
        check_eq(at(0)->word & 0xff, 0xa0 | c);
        /* Not free as a block of any other class. */
        for (unsigned other = 1; other < CLASSES; other++)
            check_eq(block_looks_free(at(0), other), other == c);
    }
}

SCENARIO(a_damaged_header_is_seen_and_its_link_still_trusted)
{
    for (unsigned byte = 8; byte < 13; byte++) {
        block_link(at(0), at(1), 6);
        flip(at(0), byte);
        check(!block_intact(at(0), 6));
        check(!block_looks_free(at(0), 6));
        check(block_link_trusted(at(0), 6));
    }
}

SCENARIO(a_damaged_link_is_seen_and_not_trusted)
{
    for (unsigned byte = 0; byte < 6; byte++) {
        block_link(at(0), at(1), 6);
        flip(at(0), byte);
        check(!block_intact(at(0), 6));
        check(!block_link_trusted(at(0), 6));
        /* It is free for all that: a double free of it is still one. */
        check(block_looks_free(at(0), 6));
    }
    for (unsigned byte = 13; byte < 16; byte++) {
        block_link(at(0), at(1), 6);
        flip(at(0), byte);
        check(!block_intact(at(0), 6));
        check(!block_link_trusted(at(0), 6));
    }
}

SCENARIO(a_link_of_one_repeated_byte_is_never_trusted)
{
    for (unsigned last = 0; last < 2; last++)
        for (uintptr_t byte = 1; byte < 256; byte++) {
            block_link(at(0), last ? NULL : at(1), 6);
            at(0)->next = (struct block *)(byte * 0x0101010101010101);
            check(!block_intact(at(0), 6));
            check(!block_link_trusted(at(0), 6));
        }
}

SCENARIO(a_word_copied_to_another_block_does_not_look_free_there)
{
    block_link(at(0), NULL, 3);
    *at(1) = *at(0);
    check(!block_intact(at(1), 3));
    check(!block_looks_free(at(1), 3));
}

SCENARIO(an_unlinked_block_no_longer_looks_free)
{
    bool lost = false;

    for (unsigned c = 1; c < CLASSES; c++) {
        block_link(at(0), at(1), c);
        check(block_unlink(at(0), c, HAK_AT_POP, &lost) == at(1));
        check(!block_looks_free(at(0), c));
    }
    check(!lost);
    check_eq(stats_now().hdr_resets, 0);
}

SCENARIO(unlinking_a_damaged_header_reports_and_goes_on)
{
    bool lost = false;

    block_link(at(0), at(1), 6);
    flip(at(0), 8);
    check(block_unlink(at(0), 6, HAK_AT_POP, &lost) == at(1));
    check(!lost);
    check_eq(stats_now().hdr_resets, 1);
    check_eq(said_times("[TLS_SLL_HDR_RESET] cls=6 base="), 1);
    check_eq(said_times("got=0xf3 expect=0xa6 count=0"), 1);
}

SCENARIO(unlinking_a_damaged_link_reports_and_ends_the_list)
{
    bool lost = false;

    block_link(at(0), at(1), 6);
    at(0)->next = (struct block *)0x41414141;
    check(block_unlink(at(0), 6, HAK_AT_DRAIN, &lost) == NULL);
    check(lost);
    check_eq(stats_now().hdr_resets, 1);
}

/* Two blocks of 8 bytes, neighbours. */
static struct block *small[2];

static void two_small(void)
{
    void *got[2] = {hak_malloc(8), hak_malloc(8)};

    check((uintptr_t)got[1] - (uintptr_t)got[0] == 8);
    small[0] = got[0];
    small[1] = got[1];
    check_eq(slab_cls(slab_of(got[0])), 0);
}

SCENARIO(an_eight_byte_block_has_link_and_word_in_one)
{
    bool lost = false;

    two_small();
    memset(small[1], 0x5a, 8);
    for (unsigned last = 0; last < 2; last++) {
        struct block *next = last ? NULL : small[1];

        block_link(small[0], next, 0);
        check(block_intact(small[0], 0));
        check(block_link_trusted(small[0], 0));
        check(block_looks_free(small[0], 0));
        check(block_next(small[0], 0) == next);
        check(block_unlink(small[0], 0, HAK_AT_POP, &lost) == next);
        check(!block_looks_free(small[0], 0));
        block_link_in_slab(small[0], next, 0);
        check(!block_intact(small[0], 0));
        check(block_looks_free(small[0], 0));
        check(block_unlink_in_slab(small[0], 0, HAK_AT_REFILL, &lost) == next);
    }
    check(!lost);
    for (unsigned i = 0; i < 8; i++)
        check_eq(((unsigned char *)small[1])[i], 0x5a);
}

SCENARIO(an_eight_byte_block_written_to_leads_nowhere)
{
    static const uint64_t blind[] = {0, 8, 0x4141414141414141, UINT64_MAX, 0x7fffffffe000};
    uint64_t whole;

    two_small();
    block_link(small[0], small[1], 0);
    whole = (uintptr_t)small[0]->next;
    for (unsigned i = 0; i < 64 + 5 + 2; i++) {
        bool lost = false;
        uint64_t word = i < 64   ? whole ^ (uint64_t)1 << i
                        : i < 69 ? blind[i - 64]
                                 : (uintptr_t)small[i - 69];

        small[0]->next = (struct block *)(uintptr_t)word;
        check(!block_intact(small[0], 0));
        check(!block_link_trusted(small[0], 0));
        check(!block_looks_free(small[0], 0));
        check(block_unlink(small[0], 0, HAK_AT_POP, &lost) == NULL);
        check(lost);
    }
    check_eq(stats_now().hdr_resets, 64 + 5 + 2);
}

SCENARIO(an_eight_byte_block_s_word_is_good_for_that_block_alone)
{
    two_small();
    block_link(small[0], NULL, 0);
    memcpy(small[1], small[0], 8);
    check(!block_looks_free(small[1], 0));
}

SCENARIO(an_eight_byte_block_leads_to_blocks_of_its_class_only)
{
    void *other[] = {hak_malloc(16), hak_malloc(5000), hak_malloc(3 << 20), room, &small};

    two_small();
    for (unsigned i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        block_link(small[0], other[i], 0);
        check(!block_intact(small[0], 0));
        check(!block_looks_free(small[0], 0));
    }
}

/* What is read of one free block must not do for another: whoever knows both addresses and one
 * word cannot compute the other word by differences. */
SCENARIO(one_word_does_not_give_another)
{
    struct block *a = hak_malloc(64), *b = hak_malloc(64);

    for (unsigned c = 1; c < CLASSES; c++) {
        uint64_t guess;

        block_link(a, NULL, c);
        block_link(b, NULL, c);
        guess = a->word ^ (uint64_t)(uintptr_t)a << 8 ^ (uint64_t)(uintptr_t)b << 8;
        check(guess != b->word);
        guess = a->word + ((uint64_t)(uintptr_t)b << 8) - ((uint64_t)(uintptr_t)a << 8);
        check(guess != b->word);
        check(a->word >> 8 != word_base(a, c % (CLASSES - 1) + 1) >> 8);
    }
}

SCENARIO(secrets_differ_between_processes_with_other_random_bytes)
{
    uint64_t before;

    block_link(at(0), NULL, 5);
    before = at(0)->word;
    word_init((const uint64_t[2]){0x0123456789abcdef, 0});
    check(!block_intact(at(0), 5));
    block_link(at(0), NULL, 5);
    check(at(0)->word != before);
    check_eq(at(0)->word & 0xff, 0xa5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_linked_block_is_intact_and_looks_free),
        cmocka_unit_test(the_header_byte_names_the_class),
        cmocka_unit_test(a_damaged_header_is_seen_and_its_link_still_trusted),
        cmocka_unit_test(a_damaged_link_is_seen_and_not_trusted),
        cmocka_unit_test(a_link_of_one_repeated_byte_is_never_trusted),
        cmocka_unit_test(a_word_copied_to_another_block_does_not_look_free_there),
        cmocka_unit_test(an_unlinked_block_no_longer_looks_free),
        cmocka_unit_test(unlinking_a_damaged_header_reports_and_goes_on),
        cmocka_unit_test(unlinking_a_damaged_link_reports_and_ends_the_list),
        cmocka_unit_test(an_eight_byte_block_has_link_and_word_in_one),
        cmocka_unit_test(an_eight_byte_block_written_to_leads_nowhere),
        cmocka_unit_test(an_eight_byte_block_s_word_is_good_for_that_block_alone),
        cmocka_unit_test(an_eight_byte_block_leads_to_blocks_of_its_class_only),
        cmocka_unit_test(one_word_does_not_give_another),
        cmocka_unit_test(secrets_differ_between_processes_with_other_random_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
