/* When memory pressure is told, level by level. */
#include "pressure.h"

#include "scenario.h"

static uint32_t at(struct pressure_memory *m, uint32_t percent)
{
    return pressure_level(m, percent * 1000, 100000, 90);
}

SCENARIO(each_level_is_told_once_on_the_way_up)
{
    struct pressure_memory m = {0};

    check_eq(at(&m, 10), 0);
    check_eq(at(&m, 89), 0);
    check_eq(at(&m, 90), 90);
    check_eq(at(&m, 92), 0);
    check_eq(at(&m, 94), 0);
    check_eq(at(&m, 95), 95);
    check_eq(at(&m, 98), 0);
    check_eq(at(&m, 99), 99);
    check_eq(at(&m, 100), 0);
}

SCENARIO(a_jump_tells_the_highest_level_only)
{
    struct pressure_memory m = {0};

    check_eq(at(&m, 97), 95);
    check_eq(at(&m, 120), 99);
}

SCENARIO(what_falls_and_rises_again_is_told_again)
{
    struct pressure_memory m = {0};

    check_eq(at(&m, 96), 95);
    /* Trembling around the level is not. */
    check_eq(at(&m, 94), 0);
    check_eq(at(&m, 95), 0);
    check_eq(at(&m, 91), 0);
    check_eq(at(&m, 95), 95);
    check_eq(at(&m, 50), 0);
    check_eq(at(&m, 90), 90);
}

SCENARIO(a_first_level_above_95_leaves_that_out)
{
    struct pressure_memory m = {0};

    check_eq(pressure_level(&m, 96, 100, 97), 0);
    check_eq(pressure_level(&m, 97, 100, 97), 97);
    check_eq(pressure_level(&m, 99, 100, 97), 99);
}

SCENARIO(the_largest_limits_do_not_overflow)
{
    struct pressure_memory m = {0};

    check_eq(pressure_level(&m, UINT64_MAX / 2, UINT64_MAX, 90), 0);
    check_eq(pressure_level(&m, UINT64_MAX, UINT64_MAX, 90), 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_level_is_told_once_on_the_way_up),
        cmocka_unit_test(a_jump_tells_the_highest_level_only),
        cmocka_unit_test(what_falls_and_rises_again_is_told_again),
        cmocka_unit_test(a_first_level_above_95_leaves_that_out),
        cmocka_unit_test(the_largest_limits_do_not_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
