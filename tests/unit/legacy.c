/* The legacy backend: blocks outside the pool and its caps, and at last the system's. */
#include "legacy.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "pool.h"
#include "process.h"
#include "registry.h"
#include "reserve.h"
#include "scenario.h"
#include "sysmalloc.h"

static void *from_legacy(unsigned cls)
{
    void *p = legacy_alloc(cls, geometry[cls].stride, 0, HAK_WHY_SHARED_FAIL);

    check(p != NULL);
    return p;
}

SCENARIO(blocks_come_from_superslabs_outside_the_pool)
{
    process_init();
    for (unsigned c = 0; c < CLASSES; c++) {
        char *p = from_legacy(c);

        check(ss_of(p) != NULL);
        check_eq(ss_of(p)->kind, HAK_LEGACY);
        check_eq((uintptr_t)p % (c ? 16 : 8), 0);
        memset(p, 1, geometry[c].stride);
        check_eq(class_now(c).legacy_blocks, 1);
        check_eq(class_now(c).active, 0);
        check_eq(hak_malloc_usable_size(p), geometry[c].stride);
    }
    check_eq(registry_count(), 0);
    check_eq(stats_now().system_other, 0);
}

SCENARIO(every_block_is_another_one_beyond_a_superslab)
{
    process_init();
    /* 255 C7 blocks fit in a SuperSlab. */
    for (unsigned i = 0; i < 600; i++) {
        block[i] = from_legacy(7);
        memset(block[i], (int)(i & 0xff), 2048);
    }
    check_eq(stats_now().superslabs[0], 3);
    free_blocks(7, 0, 600);
}

SCENARIO(freed_blocks_are_handed_out_again_without_another_superslab)
{
    process_init();
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < 255; i++) {
            block[i] = from_legacy(7);
            memset(block[i], (int)(i & 0xff), 2048);
        }
        free_blocks(7, 0, 255);
        hak_drain();
    }
    check_eq(stats_now().superslabs[0], 1);
    check_eq(class_now(7).legacy_blocks, 5 * 255);
    check_eq(stats_now().invalid_frees, 0);
}

SCENARIO(a_freed_legacy_block_serves_its_thread_like_any_other)
{
    void *p;

    process_init();
    p = from_legacy(7);
    hak_free(p);
    check(hak_malloc(2048) == p);
    hak_free(p);
    hak_free(p);
    check_eq(stats_now().double_frees, 1);
}

SCENARIO(recycling_switched_off_does_not_touch_the_legacy_backend)
{
    process_init();
    config.recycle = RECYCLE_OFF;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 255; i++) {
            block[i] = from_legacy(7);
            memset(block[i], (int)(i & 0xff), 2048);
        }
        free_blocks(7, 0, 255);
        hak_drain();
    }
    check_eq(stats_now().superslabs[0], 1);
}

SCENARIO(what_no_class_serves_is_the_system_s_and_counted_apart)
{
    char *p = legacy_system(CLASS_NONE, 5000, 0, HAK_WHY_LARGE);
    char *q = legacy_system(CLASS_NONE, 100, 4096, HAK_WHY_ALIGNMENT);
    char *r = legacy_system_zeroed(1000, 7, HAK_WHY_LARGE);
    char *s = legacy_system(3, 64, 0, HAK_WHY_DISABLED);

    check(p && q && r && s);
    check(!ss_of(p) && !ss_of(q) && !ss_of(r) && !ss_of(s));
    check_eq((uintptr_t)q % 4096, 0);
    for (unsigned i = 0; i < 7000; i++)
        check_eq(r[i], 0);
    check_eq(stats_now().system_large, 3);
    check_eq(stats_now().system_other, 1);
    check_eq(class_now(3).legacy_blocks, 1);
    hak_free(p);
    hak_free(q);
    hak_free(r);
    hak_free(s);
    check_eq(stats_now().invalid_frees, 0);
}

SCENARIO(what_the_system_refuses_is_null_enomem_and_counted)
{
    errno = 0;
    check(legacy_system(CLASS_NONE, SIZE_MAX / 2, 0, HAK_WHY_LARGE) == NULL);
    check_eq(errno, ENOMEM);
    check_eq(stats_now().ooms, 1);
    check_eq(stats_now().system_large, 0);
}

/* With RLIMIT_AS at what is mapped, and the system's heap full. */
static void at_the_end_of_memory(void)
{
    struct rlimit none = {0, 0};

    check_eq(setrlimit(RLIMIT_AS, &none), 0);
    for (size_t size = 1 << 20; size >= 16; size /= 2)
        while (sys_malloc(size))
            ;
}

SCENARIO(the_tracer_has_a_reserve_that_nobody_else_gets)
{
    char *p, *q;

    process_init();
    reserve_prepare();
    at_the_end_of_memory();
    check(legacy_system(CLASS_NONE, 1000, 0, HAK_WHY_LARGE) == NULL);
    p = legacy_system(CLASS_NONE, 1000, 0, HAK_WHY_IN_TRACER);
    q = legacy_system(CLASS_NONE, 72, 64, HAK_WHY_IN_TRACER);
    check(p && q && (uintptr_t)p % 16 == 0 && (uintptr_t)q % 64 == 0);
    check_eq(hak_malloc_usable_size(p), 1000);
    check_eq(hak_malloc_usable_size(q), 72);
    memset(p, 1, 1000);
    memset(q, 2, 72);
    p = hak_realloc(p, 64);
    check(p && p[0] == 1 && p[63] == 1);
    hak_free(p);
    hak_free(q);
    check_eq(stats_now().invalid_frees, 0);
    while (legacy_system(CLASS_NONE, 4096, 0, HAK_WHY_IN_TRACER))
        ;
}

static void take_many(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 200; i++) {
        char *p = from_legacy(6);

        memset(p, (int)i, 512);
        hak_free(p);
    }
}

SCENARIO(threads_share_one_backend)
{
    process_init();
    for (unsigned t = 0; t < 8; t++)
        in_a_thread(take_many, NULL);
    check_eq(class_now(6).legacy_blocks, 8 * 200);
    /* What one thread gave back another one got. */
    check_eq(stats_now().superslabs[0], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_come_from_superslabs_outside_the_pool),
        cmocka_unit_test(every_block_is_another_one_beyond_a_superslab),
        cmocka_unit_test(freed_blocks_are_handed_out_again_without_another_superslab),
        cmocka_unit_test(a_freed_legacy_block_serves_its_thread_like_any_other),
        cmocka_unit_test(recycling_switched_off_does_not_touch_the_legacy_backend),
        cmocka_unit_test(what_no_class_serves_is_the_system_s_and_counted_apart),
        cmocka_unit_test(what_the_system_refuses_is_null_enomem_and_counted),
        cmocka_unit_test(the_tracer_has_a_reserve_that_nobody_else_gets),
        cmocka_unit_test(threads_share_one_backend),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
