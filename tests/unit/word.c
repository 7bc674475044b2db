/* The free block's link and word: what they notice, and what they must not mistake. */
#include "word.h"

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
    for (unsigned c = 0; c < CLASSES; c++) {
        block_link(at(0), at(1), c);
        check(at(0)->next == at(1));
        check(block_intact(at(0), c));
        check(block_link_trusted(at(0), c));
        check_eq(block_looks_free(at(0), c), c != 0);
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

    for (unsigned c = 0; c < CLASSES; c++) {
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

SCENARIO(the_eight_byte_class_has_a_link_and_no_word)
{
    struct {
        struct block *next;
        uint64_t neighbour;
    } both = {NULL, 0x1234};
    bool lost = false;

    block_link((struct block *)&both, at(1), 0);
    check_eq(both.neighbour, 0x1234);
    check(block_unlink((struct block *)&both, 0, HAK_AT_POP, &lost) == at(1));
    check_eq(both.neighbour, 0x1234);
}

SCENARIO(secrets_differ_between_processes_with_other_random_bytes)
{
    uint64_t before;

    block_link(at(0), NULL, 5);
    before = at(0)->word;
    word_init(0x0123456789abcdef);
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
        cmocka_unit_test(the_eight_byte_class_has_a_link_and_no_word),
        cmocka_unit_test(secrets_differ_between_processes_with_other_random_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
