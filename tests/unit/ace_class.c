/* The size classes above 2,048 bytes: four a doubling, each request in the smallest that fits. */
#include "ace_class.h"

#include "scenario.h"

SCENARIO(the_classes_are_four_a_doubling)
{
    static const size_t mid[] = {2560,  3072,  3584,  4096,  5120,  6144,  7168,  8192,
                                 10240, 12288, 14336, 16384, 20480, 24576, 28672, 32768};
    static const size_t large_kib[] = {40,  48,  56,  64,  80,  96,  112, 128, 160, 192,
                                       224, 256, 320, 384, 448, 512, 640, 768, 896, 1024};

    for (unsigned c = 0; c < MID_CLASSES; c++)
        check_eq(mid_stride(c), mid[c]);
    for (unsigned c = 0; c < LARGE_CLASSES; c++)
        check_eq(large_stride(c), large_kib[c] << 10);
}

SCENARIO(every_mid_size_gets_the_smallest_class_that_holds_it)
{
    for (size_t size = 1; size <= MID_MAX; size++) {
        unsigned c = mid_class(size);

        check(c < MID_CLASSES);
        check(mid_stride(c) >= size);
        check(c == 0 || mid_stride(c - 1) < size);
        /* So no request above 2,048 bytes is refused by a W_MAX of 1.25. */
        check(size <= 2048 || mid_stride(c) * 4 <= size * 5);
    }
}

SCENARIO(every_large_size_gets_the_smallest_class_that_holds_it)
{
    for (size_t size = 1; size <= LARGE_MAX; size++) {
        unsigned c = large_class(size);

        check(c < LARGE_CLASSES);
        check(large_stride(c) >= size);
        check(c == 0 || large_stride(c - 1) < size);
        check(size <= MID_MAX || large_stride(c) * 4 <= size * 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_classes_are_four_a_doubling),
        cmocka_unit_test(every_mid_size_gets_the_smallest_class_that_holds_it),
        cmocka_unit_test(every_large_size_gets_the_smallest_class_that_holds_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
