/* realloc and calloc above 2,048 bytes: in place where it can be, contents kept, zero where asked.
 */
#include <string.h>
#include <sys/mman.h>

#include "ace_class.h"
#include "os.h"
#include "scenario.h"
#include "witness.h"

/* Every 512th byte of p tells where it is; n bytes from from on. */
static void fill(char *p, size_t from, size_t n)
{
    for (size_t i = from; i < n; i += 512)
        p[i] = (char)(i >> 9 & 0x7f);
}

static void holds(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i += 512)
        check_eq(p[i], (char)(i >> 9 & 0x7f));
}

SCENARIO(every_change_of_size_keeps_the_contents)
{
    static const size_t size[] = {100,     3000,    32768,   33000,   1 << 20,
                                  2 << 20, 9 << 20, 6 << 20, 1 << 19, 40000};
    const unsigned n = sizeof(size) / sizeof(size[0]);

    for (unsigned i = 0; i < n; i++)
        for (unsigned j = 0; j < n; j++) {
            char *p = hak_malloc(size[i]);

            fill(p, 0, size[i]);
            p = hak_realloc(p, size[j]);
            check(hak_malloc_usable_size(p) >= size[j]);
            holds(p, size[i] < size[j] ? size[i] : size[j]);
            memset(p, 0x11, hak_malloc_usable_size(p));
            hak_free(p);
        }
    hak_drain();
    check_eq(stats_now().mid.blocks + stats_now().large.blocks + stats_now().huge.blocks, 0);
    check_eq(stats_now().invalid_frees + stats_now().double_frees, 0);
}

SCENARIO(within_its_class_a_block_stays)
{
    char *mid = hak_malloc(30000), *large = hak_malloc(60000);

    check(hak_realloc(mid, 32768) == mid);
    check(hak_realloc(mid, 16385) == mid);
    check(hak_realloc(large, 65536) == large);
    check(hak_realloc(large, 33000) == large);
}

SCENARIO(a_large_block_grows_into_free_neighbours_and_shrinks_in_place)
{
    char *p = hak_malloc(40 << 10), *q;

    fill(p, 0, 40 << 10);
    for (unsigned c = 1; c < LARGE_CLASSES; c++) {
        q = hak_realloc(p, large_stride(c));
        check(q == p);
        fill(p, large_stride(c - 1), large_stride(c));
        check_eq(stats_now().large.used, large_stride(c));
    }
    holds(p, 1 << 20);
    /* A neighbour stands in the way now. */
    q = hak_realloc(p, 100 << 10);
    check(q == p);
    check_eq(stats_now().large.used, 112 << 10);
    holds(p, 100 << 10);
    check(hak_malloc(100 << 10) == p + (112 << 10));
    q = hak_realloc(p, 200 << 10);
    check(q != p);
    holds(q, 100 << 10);
    check_eq(stats_now().large.blocks - stats_now().large.cached / (112 << 10), 2);
}

SCENARIO(a_huge_block_is_resized_by_the_kernel)
{
    char *p, *q, *next;

    witness_begin();
    p = hak_malloc(4 << 20);
    fill(p, 0, 4 << 20);
    /* The kernel maps downwards: this one lies right below, and keeps p's start where it is. */
    next = hak_malloc(4 << 20);
    q = hak_realloc(next, 40 << 20);
    check(q != NULL);
    q = hak_realloc(p, 64 << 20);
    holds(q, 4 << 20);
    fill(q, 4 << 20, 64 << 20);
    check_eq(witness_count(HAK_EV_ace_remap), 2);
    check_eq(witness_nth(HAK_EV_ace_remap, 1)->ace_remap.from, (uintptr_t)p);
    check_eq(witness_nth(HAK_EV_ace_remap, 1)->ace_remap.base, (uintptr_t)q);
    check_eq(witness_nth(HAK_EV_ace_remap, 1)->ace_remap.old_size, 4 << 20);
    check_eq(witness_nth(HAK_EV_ace_remap, 1)->ace_remap.size, 64 << 20);
    check_eq(witness_nth(HAK_EV_ace_remap, 1)->ace_remap.mapped, (64 + 40) << 20);
    if (q != p)
        check_eq(pagemap_lookup(p), PAGEMAP_NONE);
    check_eq(pagemap_lookup(q + (64 << 20) - 1), PAGEMAP_HUGE_TAIL);
    p = hak_realloc(q, 3 << 20);
    check(p == q);
    holds(p, 3 << 20);
    check_eq(pagemap_lookup(p + (3 << 20)), PAGEMAP_NONE);
    check_eq(hak_malloc_usable_size(p), 3 << 20);
    check_eq(stats_now().huge.mapped, (3 + 40) << 20);
}

SCENARIO(growth_by_little_asks_the_kernel_seldom)
{
    char *p = hak_malloc(2 << 20);

    witness_begin();
    for (size_t size = 2 << 20; size < 32 << 20; size += 10000) {
        p = hak_realloc(p, size);
        p[size - 1] = 1;
    }
    check(witness_count(HAK_EV_ace_remap) < 60);
    check(stats_now().huge.mapped < 40 << 20);
}

SCENARIO(a_refused_remap_leaves_the_block_as_it_was)
{
    char *p = hak_malloc(4 << 20);

    fill(p, 0, 4 << 20);
    os_fail_maps(os_fault(OS_FAULT_FROM, 1));
    /* The C library has room: the block moves there. */
    p = hak_realloc(p, 64 << 20);
    check_eq(pagemap_lookup(p), PAGEMAP_NONE);
    holds(p, 4 << 20);
    check_eq(stats_now().huge.blocks, 0);
    os_fail_maps(0);
    hak_free(p);
}

SCENARIO(calloc_is_zero_whatever_lay_there)
{
    static const size_t size[] = {3000, 32768, 50000, 900 << 10, 2 << 20, 20 << 20};

    for (unsigned round = 0; round < 4; round++)
        for (unsigned i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
            size_t n = size[i];
            char *p[3];

            for (unsigned j = 0; j < 3; j++) {
                p[j] = hak_calloc(n, 1);
                for (size_t b = 0; b < n; b++)
                    if (p[j][b])
                        check_eq(p[j][b], 0);
                memset(p[j], 0xff, hak_malloc_usable_size(p[j]));
            }
            for (unsigned j = 0; j < 3; j++)
                hak_free(p[j]);
            /* Another class may get the same memory in the next round. */
            if (round % 2)
                hak_drain();
        }
}

SCENARIO(calloc_of_fresh_memory_touches_nothing)
{
    static unsigned char touched[8 << 8];
    char *p = hak_calloc(1, 4 << 20), *q = hak_calloc(1, 512 << 10);

    check_eq(mincore(p, 4 << 20, touched), 0);
    for (unsigned i = 0; i < 1024; i++)
        check_eq(touched[i] & 1, 0);
    check_eq(mincore(q, 512 << 10, touched), 0);
    for (unsigned i = 0; i < 128; i++)
        check_eq(touched[i] & 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_of_size_keeps_the_contents),
        cmocka_unit_test(within_its_class_a_block_stays),
        cmocka_unit_test(a_large_block_grows_into_free_neighbours_and_shrinks_in_place),
        cmocka_unit_test(a_huge_block_is_resized_by_the_kernel),
        cmocka_unit_test(growth_by_little_asks_the_kernel_seldom),
        cmocka_unit_test(a_refused_remap_leaves_the_block_as_it_was),
        cmocka_unit_test(calloc_is_zero_whatever_lay_there),
        cmocka_unit_test(calloc_of_fresh_memory_touches_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
