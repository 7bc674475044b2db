/* The door to the kernel: aligned maps, and faults where a test wants them. */
#include "os.h"

#include <errno.h>
#include <string.h>

#include "scenario.h"

#define PAGE 4096u
#define GIB ((size_t)1 << 30)

/* Maps n pages, one after the other; bit i of the answer: the i-th one failed. */
static uint64_t map_some(unsigned n)
{
    uint64_t failed = 0;

    for (unsigned i = 0; i < n; i++) {
        errno = 0;
        if (!os_map(PAGE)) {
            check_eq(errno, ENOMEM);
            failed |= (uint64_t)1 << i;
        }
    }
    return failed;
}

SCENARIO(without_a_fault_every_map_succeeds)
{
    check_eq(map_some(60), 0);
    os_fail_maps(os_fault(OS_FAULT_SHARE, 0));
    check_eq(map_some(60), 0);
}

SCENARIO(the_nth_map_fails_and_no_other)
{
    os_fail_maps(os_fault(OS_FAULT_NTH, 3));
    check_eq(map_some(60), 4);
    os_fail_maps(os_fault(OS_FAULT_NTH, 1));
    check_eq(map_some(60), 1);
}

SCENARIO(every_map_from_the_nth_on_fails_until_told_otherwise)
{
    os_fail_maps(os_fault(OS_FAULT_FROM, 5));
    check_eq(map_some(10), 0x3f0);
    check_eq(map_some(10), 0x3ff);
    os_fail_maps(0);
    check_eq(map_some(10), 0);
}

SCENARIO(a_share_of_the_maps_fails_the_same_ones_each_time)
{
    uint64_t first[50];
    unsigned failed = 0;

    for (unsigned share = 10; share <= 100; share += 45) {
        os_fail_maps(os_fault(OS_FAULT_SHARE, share));
        failed = 0;
        for (unsigned i = 0; i < 50; i++) {
            first[i] = map_some(60);
            failed += (unsigned)__builtin_popcountll(first[i]);
        }
        /* Of 3,000. */
        check(failed >= share * 27 && failed <= share * 33);
        os_fail_maps(os_fault(OS_FAULT_SHARE, share));
        for (unsigned i = 0; i < 50; i++)
            check_eq(map_some(60), first[i]);
    }
}

SCENARIO(an_aligned_map_that_fails_halfway_leaves_nothing_mapped)
{
    char *page = os_map(PAGE), *aligned;

    /* A map that happens to lie at a multiple of 1 GiB would need no second one. */
    check((uintptr_t)(page - PAGE) % GIB != 0);
    os_fail_maps(os_fault(OS_FAULT_NTH, 2));
    check(os_map_aligned(PAGE, GIB) == NULL);
    check_eq(errno, ENOMEM);
    /* The kernel puts the next one where the first was, if that was given back. */
    check(os_map(PAGE) == page - PAGE);
    aligned = os_map_aligned(PAGE, GIB);
    check(aligned != NULL);
    check_eq((uintptr_t)aligned % GIB, 0);
    memset(aligned, 1, PAGE);
    check(os_unmap(aligned, PAGE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_fault_every_map_succeeds),
        cmocka_unit_test(the_nth_map_fails_and_no_other),
        cmocka_unit_test(every_map_from_the_nth_on_fails_until_told_otherwise),
        cmocka_unit_test(a_share_of_the_maps_fails_the_same_ones_each_time),
        cmocka_unit_test(an_aligned_map_that_fails_halfway_leaves_nothing_mapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
