/* Address -> SuperSlab: right for what was entered, "not mine" for everything else. */
#include "pagemap.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "scenario.h"

#define GRANULE ((uintptr_t)1 << PAGEMAP_GRANULE_LG)
/* Addresses one leaf covers. */
#define LEAF (GRANULE << PAGEMAP_LEAF_LG)
/* Nothing is mapped there, and nothing needs to be: the map never reads what it knows of. */
#define BASE ((uintptr_t)0x123400000000)

static int at(uintptr_t address)
{
    return pagemap_lookup((const void *)address);
}

static bool set(uintptr_t base, size_t size, int lg)
{
    return pagemap_set((const void *)base, size, lg);
}

static const int global_constant = 1;

SCENARIO(what_was_never_entered_is_not_ours)
{
    static int global;
    int local = 0;
    void *heap = malloc(100);

    for (unsigned entered = 0; entered < 2; entered++) {
        check_eq(pagemap_lookup(NULL), 0);
        check_eq(pagemap_lookup(&local), 0);
        check_eq(pagemap_lookup(&global), 0);
        check_eq(pagemap_lookup(&global_constant), 0);
        check_eq(pagemap_lookup(heap), 0);
        check_eq(at(1), 0);
        for (unsigned bit = 0; bit < 64; bit++) {
            check_eq(at((uintptr_t)1 << bit), 0);
            check_eq(at(((uintptr_t)1 << bit) - 1), 0);
            check_eq(at(-((uintptr_t)1 << bit)), 0);
        }
        /* The same with something in the map. */
        check(set(BASE, GRANULE, 19));
    }
    free(heap);
}

SCENARIO(addresses_that_differ_above_bit_47_are_not_ours)
{
    check(set(BASE, GRANULE, 19));
    for (unsigned bit = 48; bit < 64; bit++)
        check_eq(at(BASE | (uintptr_t)1 << bit), 0);
}

SCENARIO(every_address_of_a_range_is_found_and_none_beside_it)
{
    for (unsigned lg = SS_LG_MIN; lg <= SS_LG_MAX; lg++) {
        size_t size = (size_t)1 << lg;

        check(set(BASE, size, lg));
        check_eq(at(BASE - 1), 0);
        for (uintptr_t a = BASE; a < BASE + size; a += 4096)
            check_eq(at(a), lg);
        check_eq(at(BASE + size - 1), lg);
        check_eq(at(BASE + size), 0);
        check(set(BASE, size, 0));
    }
}

SCENARIO(a_removed_range_is_not_ours_and_its_neighbours_stay)
{
    check(set(BASE, 3 * GRANULE, 19));
    check(set(BASE + GRANULE, GRANULE, 0));
    check_eq(at(BASE), 19);
    check_eq(at(BASE + GRANULE), 0);
    check_eq(at(BASE + 2 * GRANULE - 1), 0);
    check_eq(at(BASE + 2 * GRANULE), 19);
}

SCENARIO(leaves_are_mapped_on_demand_only)
{
    uintptr_t root = BASE / LEAF;
    unsigned leaves = 0;

    for (unsigned r = 0; r < PAGEMAP_ROOTS; r++)
        check(pagemap_root[r] == NULL);
    check(set(BASE, GRANULE, 19));
    for (unsigned r = 0; r < PAGEMAP_ROOTS; r++)
        leaves += pagemap_root[r] != NULL;
    check_eq(leaves, 1);
    check(pagemap_root[root] != NULL);
}

SCENARIO(a_range_may_lie_across_two_leaves)
{
    uintptr_t border = (BASE / LEAF + 1) * LEAF;

    check(set(border - GRANULE, 2 * GRANULE, 20));
    check_eq(at(border - GRANULE - 1), 0);
    check_eq(at(border - 1), 20);
    check_eq(at(border), 20);
    check_eq(at(border + GRANULE), 0);
}

SCENARIO(without_memory_for_a_leaf_nothing_is_entered)
{
    struct rlimit none = {0, RLIM_INFINITY};
    uintptr_t border = (BASE / LEAF + 1) * LEAF;

    check(set(border - GRANULE, GRANULE, 0));
    check_eq(setrlimit(RLIMIT_AS, &none), 0);
    check(!set(border - GRANULE, 2 * GRANULE, 20));
    check_eq(at(border - GRANULE), 0);
    check_eq(at(border), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_never_entered_is_not_ours),
        cmocka_unit_test(addresses_that_differ_above_bit_47_are_not_ours),
        cmocka_unit_test(every_address_of_a_range_is_found_and_none_beside_it),
        cmocka_unit_test(a_removed_range_is_not_ours_and_its_neighbours_stay),
        cmocka_unit_test(leaves_are_mapped_on_demand_only),
        cmocka_unit_test(a_range_may_lie_across_two_leaves),
        cmocka_unit_test(without_memory_for_a_leaf_nothing_is_entered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
