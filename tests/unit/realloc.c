/* realloc and its relative: contents kept, blocks moved when it pays, foreign pointers taken. */
#include <string.h>

#include "scenario.h"
#include "sysmalloc.h"

SCENARIO(realloc_keeps_the_contents_through_every_size)
{
    static const size_t to[] = {1, 7, 8, 9, 16, 40, 64, 100, 700, 2000, 2048, 2049, 9000, 200000};
    unsigned n = sizeof(to) / sizeof(to[0]);

    for (unsigned i = 0; i < n; i++)
        for (unsigned j = 0; j < n; j++) {
            unsigned char *p = hak_malloc(to[i]);
            size_t kept = to[i] < to[j] ? to[i] : to[j];

            for (size_t b = 0; b < to[i]; b++)
                p[b] = (unsigned char)(b * 7 + i);
            p = hak_realloc(p, to[j]);
            for (size_t b = 0; b < kept; b++)
                check_eq(p[b], (unsigned char)(b * 7 + i));
            check_eq((uintptr_t)p % (to[j] > 8 ? 16 : 8), 0);
            check(hak_malloc_usable_size(p) >= to[j]);
            hak_free(p);
        }
}

SCENARIO(realloc_moves_only_when_it_pays)
{
    char *p = hak_malloc(2000);

    check(hak_realloc(p, 2048) == p);
    check(hak_realloc(p, 1025) == p);
    check(hak_realloc(p, 100) != p);
    p = hak_malloc(40);
    check(hak_realloc(p, 1) == p);
    check(hak_realloc(p, 0) == NULL);
    /* Freed: handed out again. */
    check(hak_malloc(40) == p);
}

SCENARIO(pointers_of_the_system_s_malloc_are_taken_too)
{
    char *p = sys_malloc(100);

    memset(p, 3, 100);
    check(hak_malloc_usable_size(p) >= 100);
    p = hak_realloc(p, 50);
    check(ss_of(p) != NULL);
    for (unsigned i = 0; i < 50; i++)
        check_eq(p[i], 3);
    p = hak_realloc(p, 5000);
    check(ss_of(p) == NULL);
    hak_free(p);
    hak_free(sys_malloc(10));
    check_eq(stats_now().invalid_frees, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(realloc_keeps_the_contents_through_every_size),
        cmocka_unit_test(realloc_moves_only_when_it_pays),
        cmocka_unit_test(pointers_of_the_system_s_malloc_are_taken_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
