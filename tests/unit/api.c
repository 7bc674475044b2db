/* The interface of malloc, as C, POSIX and glibc's manual say. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "scenario.h"

/* Of the right alignment, writable and readable to its last byte; then freed. */
static void use(void *p, size_t size, size_t align)
{
    size_t usable = hak_malloc_usable_size(p);
    unsigned char *bytes = p;

    check(p != NULL);
    check_eq((uintptr_t)p % align, 0);
    check(usable >= size);
    memset(p, 0x5a, usable);
    check(usable == 0 || bytes[usable - 1] == 0x5a);
    hak_free(p);
}

static size_t natural(size_t size)
{
    return size > 8 ? 16 : 8;
}

SCENARIO(every_size_is_aligned_and_usable_to_its_last_byte)
{
    for (size_t size = 0; size <= 2048; size++)
        use(hak_malloc(size), size, natural(size));
    for (size_t size = 2049; size < 5u << 20; size = size * 5 / 4)
        use(hak_malloc(size), size, 16);
}

SCENARIO(every_alignment_is_kept_for_every_kind_of_size)
{
    static const size_t sizes[] = {0, 1, 8, 9, 24, 48, 100, 768, 2000, 2048, 2049, 4096, 100000};

    for (size_t align = 8; align <= 4u << 20; align *= 2)
        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            void *p = NULL;

            check_eq(hak_posix_memalign(&p, align, sizes[i]), 0);
            use(p, sizes[i], align);
            use(hak_aligned_alloc(align, sizes[i]), sizes[i], align);
            use(hak_memalign(align, sizes[i]), sizes[i], align);
        }
}

SCENARIO(every_size_is_aligned_at_every_alignment_a_class_can_keep)
{
    for (size_t align = 8; align <= 2048; align *= 2)
        for (size_t size = 0; size <= 2048; size++) {
            void *p = hak_aligned_alloc(align, size);

            check_eq((uintptr_t)p % natural(size), 0);
            use(p, size, align);
        }
    check_eq(stats_now().system_large, 0);
}

SCENARIO(size_0_gives_a_pointer_of_its_own)
{
    void *p = hak_malloc(0), *q = hak_malloc(0), *r = hak_calloc(0, 10), *s = hak_calloc(10, 0);
    void *t = hak_realloc(NULL, 0), *u = NULL;

    check(p && q && r && s && t);
    check(p != q && q != r && r != s && s != t);
    check_eq(hak_posix_memalign(&u, 8, 0), 0);
    use(u, 0, 8);
    use(hak_pvalloc(0), 4096, 4096);
    use(hak_valloc(0), 0, 4096);
    hak_free(p);
    hak_free(q);
}

SCENARIO(calloc_zeroes_reused_memory)
{
    for (size_t size = 0; size <= 2100; size++) {
        unsigned char *p = hak_malloc(size);

        memset(p, 0xff, hak_malloc_usable_size(p));
        hak_free(p);
        p = hak_calloc(size, 1);
        for (size_t i = 0; i < size; i++)
            check_eq(p[i], 0);
        hak_free(p);
        p = hak_calloc(3, size);
        for (size_t i = 0; i < 3 * size; i++)
            check_eq(p[i], 0);
        hak_free(p);
    }
}

SCENARIO(products_that_overflow_are_refused)
{
    void *p = hak_malloc(100);

    memset(p, 7, 100);
    errno = 0;
    check(hak_calloc(SIZE_MAX / 2, 3) == NULL);
    check_eq(errno, ENOMEM);
    errno = 0;
    /* 2^64 exactly: the product is 0. */
    check(hak_calloc((size_t)1 << 32, (size_t)1 << 32) == NULL);
    check_eq(errno, ENOMEM);
    errno = 0;
    check(hak_reallocarray(p, SIZE_MAX / 4, 5) == NULL);
    check_eq(errno, ENOMEM);
    for (unsigned i = 0; i < 100; i++)
        check_eq(((char *)p)[i], 7);
    p = hak_reallocarray(p, 50, 10);
    for (unsigned i = 0; i < 100; i++)
        check_eq(((char *)p)[i], 7);
    use(p, 500, 16);
}

SCENARIO(sizes_nobody_has_are_null_and_enomem)
{
    static const size_t huge[] = {SIZE_MAX, SIZE_MAX - 4096, SIZE_MAX / 2 + 1, SIZE_MAX / 2};
    void *kept = hak_malloc(5000), *tiny = hak_malloc(50), *out = &out;

    for (unsigned i = 0; i < sizeof(huge) / sizeof(huge[0]); i++) {
#define REFUSED(call)            \
    do {                         \
        errno = 0;               \
        check((call) == NULL);   \
        check_eq(errno, ENOMEM); \
    } while (0)
        REFUSED(hak_malloc(huge[i]));
        REFUSED(hak_calloc(1, huge[i]));
        REFUSED(hak_realloc(NULL, huge[i]));
        REFUSED(hak_realloc(kept, huge[i]));
        REFUSED(hak_realloc(tiny, huge[i]));
        REFUSED(hak_aligned_alloc(64, huge[i]));
        REFUSED(hak_memalign(4096, huge[i]));
        REFUSED(hak_valloc(huge[i]));
        REFUSED(hak_pvalloc(huge[i]));
        errno = EXDEV;
        check_eq(hak_posix_memalign(&out, 64, huge[i]), ENOMEM);
        /* As other allocators leave it; and a failed call leaves the pointer alone. */
        check_eq(errno, ENOMEM);
        check(out == &out);
    }
    use(kept, 5000, 16);
    use(tiny, 50, 16);
}

SCENARIO(alignments_that_are_none_are_refused)
{
    void *out = &out;

    check_eq(hak_posix_memalign(&out, 0, 8), EINVAL);
    check_eq(hak_posix_memalign(&out, 4, 8), EINVAL);
    check_eq(hak_posix_memalign(&out, 24, 8), EINVAL);
    check_eq(hak_posix_memalign(&out, 100, 8), EINVAL);
    check(out == &out);
    errno = 0;
    check(hak_aligned_alloc(0, 8) == NULL);
    check_eq(errno, EINVAL);
    errno = 0;
    check(hak_aligned_alloc(48, 48) == NULL);
    check_eq(errno, EINVAL);
    /* glibc's memalign rounds up instead. */
    use(hak_memalign(48, 48), 48, 64);
    use(hak_memalign(0, 48), 48, 8);
    use(hak_memalign(3, 5), 5, 4);
    errno = 0;
    check(hak_memalign(SIZE_MAX, 8) == NULL);
    check_eq(errno, EINVAL);
}

SCENARIO(pages_are_pages)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    use(hak_valloc(1), 1, page);
    use(hak_pvalloc(1), page, page);
    use(hak_pvalloc(page + 1), 2 * page, page);
}

SCENARIO(the_rest_of_the_interface)
{
    check_eq(hak_malloc_usable_size(NULL), 0);
    check_eq(hak_set_cap(HAK_CLASSES, 1), EINVAL);
    check_eq(hak_set_cap(15, 7), 0);
    check_eq(class_now(15).cap, 7);
    check_eq(strcmp(hak_version(), HAK_VERSION), 0);
    hak_drain();
    hak_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_is_aligned_and_usable_to_its_last_byte),
        cmocka_unit_test(every_alignment_is_kept_for_every_kind_of_size),
        cmocka_unit_test(every_size_is_aligned_at_every_alignment_a_class_can_keep),
        cmocka_unit_test(size_0_gives_a_pointer_of_its_own),
        cmocka_unit_test(calloc_zeroes_reused_memory),
        cmocka_unit_test(products_that_overflow_are_refused),
        cmocka_unit_test(sizes_nobody_has_are_null_and_enomem),
        cmocka_unit_test(alignments_that_are_none_are_refused),
        cmocka_unit_test(pages_are_pages),
        cmocka_unit_test(the_rest_of_the_interface),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
