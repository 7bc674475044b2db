/* Numbers of SuperSlabs, and the lock-free lists of slots. */
#include "registry.h"

#include <pthread.h>

#include "os.h"
#include "scenario.h"

SCENARIO(numbers_rise_from_one_and_lead_back_once_published)
{
    struct superslab *ss[600];

    check_eq(registry_count(), 0);
    check(registry_ss(1) == NULL);
    /* More than a chunk of 256 entries. */
    for (unsigned i = 0; i < 600; i++) {
        static struct superslab headers[600];

        ss[i] = &headers[i];
        check(registry_number(ss[i]));
        check_eq(ss[i]->id, i + 1);
        check_eq(registry_count(), i + 1);
        check(registry_ss(i + 1) == NULL);
        registry_publish(ss[i]);
    }
    for (unsigned i = 0; i < 600; i++)
        check(registry_ss(i + 1) == ss[i]);
    check(registry_ss(601) == NULL);
    check(registry_ss(0) == NULL);
    check(registry_ss(UINT32_MAX >> 5) == NULL);
}

SCENARIO(a_number_whose_entry_finds_no_memory_is_given_to_the_next_one)
{
    struct superslab header = {.slabs = 8};

    os_fail_maps(os_fault(OS_FAULT_FROM, 1));
    for (unsigned i = 0; i < 3; i++)
        check(!registry_number(&header));
    check_eq(registry_count(), 0);
    os_fail_maps(0);
    check(registry_number(&header));
    check_eq(header.id, 1);
    check_eq(registry_count(), 1);
}

static struct superslab *numbered(void)
{
    struct superslab *ss = ss_map(SS_LG_MAX, HAK_POOL);

    check(registry_number(ss));
    registry_publish(ss);
    return ss;
}

SCENARIO(a_slot_names_its_slab)
{
    for (unsigned n = 0; n < 3; n++) {
        struct superslab *ss = numbered();

        for (unsigned no = 0; no < ss->slabs; no++) {
            uint32_t slot = slot_of(&ss->slab[no]);

            check(slot != SLOT_NONE);
            check(slot_slab(slot) == &ss->slab[no]);
        }
    }
}

static uint32_t pop(struct slot_list *list)
{
    uint32_t slot = slot_pop(list);

    if (slot != SLOT_NONE)
        slot_let_go(slot);
    return slot;
}

SCENARIO(a_list_gives_last_what_it_got_first)
{
    static struct slot_list list;
    struct superslab *a = numbered(), *b = numbered();

    check_eq(pop(&list), SLOT_NONE);
    for (unsigned no = 0; no < 32; no++) {
        slot_push(&list, slot_of(&a->slab[no]));
        slot_push(&list, slot_of(&b->slab[no]));
        check_eq(list.count, 2 * no + 2);
    }
    for (unsigned no = 32; no-- > 0;) {
        check(slot_slab(pop(&list)) == &b->slab[no]);
        check(slot_slab(pop(&list)) == &a->slab[no]);
        check_eq(list.count, 2 * no);
    }
    check_eq(pop(&list), SLOT_NONE);
    check_eq(list.count, 0);
}

SCENARIO(a_slot_that_was_popped_is_its_popper_s_until_he_lets_it_go)
{
    static struct slot_list list, other;
    struct superslab *ss = numbered();
    uint32_t slot = slot_of(&ss->slab[0]);

    check(slot_push(&list, slot));
    check(!slot_push(&other, slot));
    check_eq(slot_pop(&list), slot);
    check(slot_listed(slot));
    check(!slot_push(&other, slot));
    check(!slot_take(slot));
    check_eq(slot_pop(&other), SLOT_NONE);
    slot_let_go(slot);
    check(!slot_listed(slot));
    check(slot_push(&other, slot));
    check_eq(slot_pop(&other), slot);
}

SCENARIO(a_head_that_comes_back_is_not_taken_for_the_old_one)
{
    static struct slot_list list, other;
    struct superslab *ss = numbered();
    uint32_t a = slot_of(&ss->slab[0]), b = slot_of(&ss->slab[1]);
    uint64_t seen;

    slot_push(&list, b);
    slot_push(&list, a);
    seen = list.head;
    /* What a slow popper, who read head a with b below it, must not mistake. */
    check_eq(pop(&list), a);
    check_eq(pop(&list), b);
    slot_push(&other, b);
    slot_push(&list, a);
    check_eq((uint32_t)list.head, (uint32_t)seen);
    check(list.head != seen);
    check_eq(pop(&list), a);
    check_eq(pop(&list), SLOT_NONE);
    check_eq(pop(&other), b);
}

/* ---- many threads ---- */

#define LISTS 3
#define THREADS 6
#define ROUNDS 60000
#define SLOTS (2 * 32)

static struct slot_list lists[LISTS];
/* Number of threads that hold a slot. */
static _Atomic unsigned held[(2 + 1) << 5];

static void shuffle(void *seed)
{
    uint32_t random = (uint32_t)(uintptr_t)seed;

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t slot;

        random = random * 1664525 + 1013904223;
        slot = pop(&lists[(random >> 8) % LISTS]);
        if (slot == SLOT_NONE)
            continue;
        check_eq(atomic_fetch_add(&held[slot], 1), 0);
        check_eq(atomic_fetch_sub(&held[slot], 1), 1);
        slot_push(&lists[(random >> 16) % LISTS], slot);
    }
}

static void *shuffler(void *seed)
{
    shuffle(seed);
    return NULL;
}

SCENARIO(threads_that_push_and_pop_lose_and_duplicate_nothing)
{
    pthread_t thread[THREADS];
    unsigned found = 0;
    uint32_t slot;

    for (unsigned n = 0; n < 2; n++) {
        struct superslab *ss = numbered();

        for (unsigned no = 0; no < 32; no++)
            slot_push(&lists[no % LISTS], slot_of(&ss->slab[no]));
    }
    for (uintptr_t t = 0; t < THREADS; t++)
        check_eq(pthread_create(&thread[t], NULL, shuffler, (void *)(t + 1)), 0);
    for (unsigned t = 0; t < THREADS; t++)
        pthread_join(thread[t], NULL);
    for (unsigned l = 0; l < LISTS; l++) {
        uint32_t count = lists[l].count, n = 0;

        for (; (slot = pop(&lists[l])) != SLOT_NONE; n++)
            check_eq(atomic_fetch_add(&held[slot], 1), 0);
        check_eq(n, count);
        found += n;
    }
    check_eq(found, SLOTS);
}

static void *number_some(void *out)
{
    for (unsigned i = 0; i < 100; i++) {
        struct superslab *ss = (struct superslab *)out + i;

        check(registry_number(ss));
        registry_publish(ss);
    }
    return NULL;
}

SCENARIO(threads_that_ask_for_numbers_get_different_ones)
{
    static struct superslab some[4][100];
    pthread_t thread[4];

    for (unsigned t = 0; t < 4; t++)
        check_eq(pthread_create(&thread[t], NULL, number_some, some[t]), 0);
    for (unsigned t = 0; t < 4; t++)
        pthread_join(thread[t], NULL);
    check_eq(registry_count(), 400);
    for (unsigned i = 0; i < 400; i++)
        check(registry_ss(some[i / 100][i % 100].id) == &some[i / 100][i % 100]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_rise_from_one_and_lead_back_once_published),
        cmocka_unit_test(a_number_whose_entry_finds_no_memory_is_given_to_the_next_one),
        cmocka_unit_test(a_slot_names_its_slab),
        cmocka_unit_test(a_list_gives_last_what_it_got_first),
        cmocka_unit_test(a_slot_that_was_popped_is_its_popper_s_until_he_lets_it_go),
        cmocka_unit_test(a_head_that_comes_back_is_not_taken_for_the_old_one),
        cmocka_unit_test(threads_that_push_and_pop_lose_and_duplicate_nothing),
        cmocka_unit_test(threads_that_ask_for_numbers_get_different_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
