/* What is learned from demand: curves of ACTIVE slabs and of maps, window by window. */
#include "learn.h"

#include "scenario.h"

/* The cap after each window of a curve of peaks, at whose end nothing but `active` is left. */
static uint32_t cap_along(struct cap_memory *m, uint32_t cap, const uint32_t *peaks, unsigned n,
                          uint32_t active)
{
    for (unsigned i = 0; i < n; i++)
        cap = learn_cap_after(m, cap, peaks[i], active < peaks[i] ? active : peaks[i]);
    return cap;
}

SCENARIO(demand_that_grows_raises_the_cap_in_few_steps)
{
    uint32_t cap = LEARN_CAP_MIN;
    unsigned steps = 0;

    /* Slab by slab to 16,384, which is 1 GiB. */
    for (uint32_t active = 0; active < 16384; active++)
        while (active >= cap) {
            uint32_t raised = learn_cap_raised(cap);

            check(raised > cap);
            cap = raised;
            steps++;
        }
    check(steps <= 20);
    check(cap < 2 * 16384);
}

SCENARIO(a_cap_of_none_becomes_one)
{
    check_eq(learn_cap_raised(0), LEARN_CAP_MIN);
    check_eq(learn_cap_raised(1), LEARN_CAP_MIN);
}

SCENARIO(demand_that_fell_for_good_lowers_the_cap_after_four_windows)
{
    const uint32_t peaks[] = {1000, 100, 90, 80, 70};
    struct cap_memory m = {0, 0};

    check_eq(cap_along(&m, 1024, peaks, 4, 0), 1024);
    /* Half above the most of the quiet windows. */
    check_eq(cap_along(&m, 1024, peaks + 4, 1, 0), 150);
}

SCENARIO(demand_that_comes_back_now_and_then_keeps_the_cap)
{
    const uint32_t peaks[] = {10, 10, 10, 600, 10, 10, 10, 600, 10, 10, 10, 512};
    struct cap_memory m = {0, 0};

    check_eq(cap_along(&m, 1024, peaks, 12, 0), 1024);
}

SCENARIO(what_is_live_is_never_above_the_cap)
{
    const uint32_t peaks[] = {400, 400, 400, 400};
    struct cap_memory m = {0, 0};

    check_eq(cap_along(&m, 4096, peaks, 4, 700), 600);
    m = (struct cap_memory){0, 0};
    for (unsigned i = 0; i < 3; i++)
        check_eq(learn_cap_after(&m, 4096, 10, 900), 4096);
    check_eq(learn_cap_after(&m, 4096, 10, 900), 900);
}

SCENARIO(a_cap_never_falls_below_the_first_one)
{
    const uint32_t none[16] = {0};
    struct cap_memory m = {0, 0};

    check_eq(cap_along(&m, 100, none, 16, 0), LEARN_CAP_MIN);
    check_eq(cap_along(&m, LEARN_CAP_MIN, none, 16, 0), LEARN_CAP_MIN);
}

SCENARIO(a_class_that_maps_often_maps_more_at_once)
{
    check_eq(learn_size_mapping(19, 0, 100), 19);
    check_eq(learn_size_mapping(19, 2, 100), 19);
    check_eq(learn_size_mapping(19, 3, 100), 20);
    check_eq(learn_size_mapping(20, 3, 50), 21);
    check_eq(learn_size_mapping(21, 9, 100), 21);
    /* Much of what is there is idle: more of it would not help. */
    check_eq(learn_size_mapping(19, 9, 49), 19);
}

SCENARIO(a_class_that_maps_no_more_in_an_idle_pool_goes_back_step_by_step)
{
    uint32_t quiet = 0;
    unsigned lg = 21;

    for (unsigned window = 1; window <= 8; window++)
        lg = learn_size_after(&quiet, lg, 0, 24);
    check_eq(lg, 20);
    for (unsigned window = 1; window <= 7; window++)
        lg = learn_size_after(&quiet, lg, 0, 24);
    check_eq(lg, 20);
    /* One map, or one busy window, and the count begins anew. */
    lg = learn_size_after(&quiet, lg, 1, 24);
    for (unsigned window = 1; window <= 7; window++)
        lg = learn_size_after(&quiet, lg, 0, 24);
    check_eq(lg, 20);
    check_eq(learn_size_after(&quiet, lg, 0, 24), 19);
    for (unsigned window = 1; window <= 20; window++)
        check_eq(learn_size_after(&quiet, 19, 0, 0), 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(demand_that_grows_raises_the_cap_in_few_steps),
        cmocka_unit_test(a_cap_of_none_becomes_one),
        cmocka_unit_test(demand_that_fell_for_good_lowers_the_cap_after_four_windows),
        cmocka_unit_test(demand_that_comes_back_now_and_then_keeps_the_cap),
        cmocka_unit_test(what_is_live_is_never_above_the_cap),
        cmocka_unit_test(a_cap_never_falls_below_the_first_one),
        cmocka_unit_test(a_class_that_maps_often_maps_more_at_once),
        cmocka_unit_test(a_class_that_maps_no_more_in_an_idle_pool_goes_back_step_by_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
