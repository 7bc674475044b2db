/* Strides, capacities, classes of requests, blocks of offsets. */
#include "geometry.h"

#include "scenario.h"

/* Worked out by hand: 63,488 and 65,536 bytes by the stride, then one slab of the first kind and
 * 7, 15 or 31 of the second. */
static const struct {
    uint32_t stride, first, other, at_512k, at_1m, at_2m;
} by_hand[CLASSES] = {
    {8, 7936, 8192, 65280, 130816, 261888}, {16, 3968, 4096, 32640, 65408, 130944},
    {32, 1984, 2048, 16320, 32704, 65472},  {64, 992, 1024, 8160, 16352, 32736},
    {128, 496, 512, 4080, 8176, 16368},     {256, 248, 256, 2040, 4088, 8184},
    {512, 124, 128, 1020, 2044, 4092},      {2048, 31, 32, 255, 511, 1023},
    {48, 1322, 1365, 10877, 21797, 43637},  {96, 661, 682, 5435, 10891, 21803},
    {192, 330, 341, 2717, 5445, 10901},     {384, 165, 170, 1355, 2715, 5435},
    {768, 82, 85, 677, 1357, 2717},         {1024, 62, 64, 510, 1022, 2046},
    {1280, 49, 51, 406, 814, 1630},         {1536, 41, 42, 335, 671, 1343},
};

static uint32_t superslab_capacity(unsigned cls, unsigned lg)
{
    uint32_t sum = 0;

    for (unsigned no = 0; no < 1u << (lg - SLAB_LG); no++)
        sum += slab_capacity(cls, no);
    return sum;
}

SCENARIO(capacities_are_the_numbers_worked_out_by_hand)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        check_eq(geometry[c].stride, by_hand[c].stride);
        check_eq(slab_capacity(c, 0), by_hand[c].first);
        for (unsigned no = 1; no < SS_MAX_SLABS; no++)
            check_eq(slab_capacity(c, no), by_hand[c].other);
        check_eq(superslab_capacity(c, 19), by_hand[c].at_512k);
        check_eq(superslab_capacity(c, 20), by_hand[c].at_1m);
        check_eq(superslab_capacity(c, 21), by_hand[c].at_2m);
    }
}

SCENARIO(capacities_are_the_usable_bytes_by_the_stride)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        check_eq(slab_capacity(c, 0), 63488 / geometry[c].stride);
        check_eq(slab_capacity(c, 1), 65536 / geometry[c].stride);
    }
}

SCENARIO(the_header_fits_before_the_first_block)
{
    check(sizeof(struct superslab) <= 2048);
    check_eq(slab_reserved(0), 2048);
    check_eq(slab_reserved(1), 0);
}

/* The slow way to the same answer. */
static unsigned smallest_fit(size_t size, unsigned classes)
{
    unsigned best = CLASSES;

    for (unsigned c = 0; c < classes; c++)
        if (geometry[c].stride >= size && (size <= 8 || geometry[c].stride % 16 == 0) &&
            (best == CLASSES || geometry[c].stride < geometry[best].stride))
            best = c;
    return best;
}

SCENARIO(every_size_has_the_smallest_stride_that_fits)
{
    geometry_init(CLASSES);
    for (size_t size = 0; size <= TINY_MAX; size++)
        check_eq(class_of(size), smallest_fit(size, CLASSES));
}

SCENARIO(eight_classes_serve_every_size_too)
{
    geometry_init(PHASE9_CLASSES);
    for (size_t size = 0; size <= TINY_MAX; size++) {
        check_eq(class_of(size), smallest_fit(size, PHASE9_CLASSES));
        check(class_of(size) < PHASE9_CLASSES);
    }
    check_eq(class_of(0), 0);
    check_eq(class_of(513), 7);
    check_eq(geometry_class_aligned(40, 8), 3);
}

SCENARIO(block_index_agrees_with_division_for_every_offset)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        uint32_t stride = geometry[c].stride;

        for (uint32_t off = 0; off < SLAB_SIZE; off++) {
            uint32_t want = off % stride ? UINT32_MAX : off / stride;
            uint64_t number = block_number(off, geometry[c].magic);

            check_eq(block_index(c, off), want);
            check_eq(number < SLAB_SIZE ? number : UINT32_MAX, want);
        }
        /* Slab 0's header: offsets that wrapped below zero are no block that could exist. */
        for (uint32_t below = 1; below <= SS_HEADER; below++) {
            check(block_index(c, 0u - below) >= SLAB_SIZE / 8);
            check(block_number(0u - below, geometry[c].magic) >= SLAB_SIZE / 8);
            check(block_number(0ull - below, geometry[c].magic) >= SLAB_SIZE / 8);
        }
    }
}

SCENARIO(aligned_classes_give_aligned_blocks_in_every_slab)
{
    geometry_init(CLASSES);
    for (size_t align = 1; align <= SS_HEADER; align *= 2)
        for (size_t size = 0; size <= TINY_MAX; size++) {
            int c = geometry_class_aligned(size, align);

            /* C7's stride is 2,048: it is aligned to all of these. */
            check(c >= 0);
            check(geometry[c].stride >= size);
            check_eq(geometry[c].stride % align, 0);
            check_eq(slab_reserved(0) % align, 0);
            for (unsigned other = 0; other < CLASSES; other++)
                check(geometry[other].stride < size || geometry[other].stride % align != 0 ||
                      geometry[other].stride >= geometry[c].stride);
        }
    check_eq(geometry_class_aligned(1, 4096), -1);
    check_eq(geometry_class_aligned(TINY_MAX + 1, 8), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capacities_are_the_numbers_worked_out_by_hand),
        cmocka_unit_test(capacities_are_the_usable_bytes_by_the_stride),
        cmocka_unit_test(the_header_fits_before_the_first_block),
        cmocka_unit_test(every_size_has_the_smallest_stride_that_fits),
        cmocka_unit_test(eight_classes_serve_every_size_too),
        cmocka_unit_test(block_index_agrees_with_division_for_every_offset),
        cmocka_unit_test(aligned_classes_give_aligned_blocks_in_every_slab),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
