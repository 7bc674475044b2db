/* What the standards and glibc promise about NULL, zero, overflow and errno. */
#include <malloc.h>

#include "check.h"

/* Volatile: the compiler must neither warn about these sizes nor compute with them. */
static volatile size_t half = SIZE_MAX / 2 + 1, most = SIZE_MAX, four = 4, zero = 0;

static void refuse(void *p, const char *what)
{
    CHECK(!p, "%p from %s", p, what);
    CHECK(errno == ENOMEM, "errno %d from %s", errno, what);
    errno = 0;
}

static void too_much(void)
{
    void *volatile p = malloc(50); /* GCC thinks that reallocarray always frees */

    errno = 0;
    refuse(malloc(half), "malloc(SIZE_MAX / 2 + 1)");
    refuse(malloc(most), "malloc(SIZE_MAX)");
    refuse(malloc(most - 4096), "malloc(SIZE_MAX - 4096)");
    refuse(calloc(half, four), "calloc, overflow");
    refuse(calloc(most, most), "calloc, overflow");
    refuse(calloc(1, most), "calloc(1, SIZE_MAX)");
    refuse(realloc(p, most), "realloc(p, SIZE_MAX)");
    refuse(reallocarray(p, half, four), "reallocarray, overflow");
    refuse(memalign(64, most - 8), "memalign(64, SIZE_MAX - 8)");
    refuse(aligned_alloc(4096, most - 100), "aligned_alloc(4096, SIZE_MAX - 100)");
    refuse(valloc(most - 1), "valloc(SIZE_MAX - 1)");
    refuse(pvalloc(most - 1), "pvalloc(SIZE_MAX - 1)");
    fill(p, 50, 1); /* a refused realloc leaves the block */
    free(p);
}

static void bad_alignment(void)
{
    static const size_t bad[] = {0, 1, 2, 4, 7, 12, 24, 100, 4095, SIZE_MAX, SIZE_MAX / 2};
    void *untouched = &untouched, *p = untouched;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        errno = 77;
        int e = posix_memalign(&p, bad[i], 100);
        CHECK(e == EINVAL && p == untouched, "%d for alignment %zu", e, bad[i]);
        CHECK(errno == 77, "errno %d", errno);
    }
    int e = posix_memalign(&p, 64, most - 1000);
    CHECK(e == ENOMEM && p == untouched, "%d", e);
    e = posix_memalign(&p, 64, 0);
    CHECK(e == 0 && p != untouched, "%d for size 0", e);
    free(p);
    /* glibc rounds up until 2.37 and refuses later: both are allowed, a bad block is not. */
    errno = 0;
    p = aligned_alloc(four * 6, 100);
    CHECK(p ? (uintptr_t)p % 32 == 0 : errno == EINVAL, "%p, errno %d", p, errno);
    free(p);
}

static void zero_and_null(void)
{
    void *a = malloc(0), *b = malloc(0), *c = calloc(0, 8), *d = realloc(NULL, 0);

    CHECK(a && b && c && d && a != b && c != d, "%p %p %p %p", a, b, c, d);
    free(a);
    free(b);
    free(c);
    free(d);
    a = realloc(NULL, 100);
    CHECK(a && malloc_usable_size(a) >= 100, "%p", a);
    CHECK(realloc(a, zero) == NULL, "a block from realloc(p, 0)");
    a = reallocarray(NULL, 10, 10);
    CHECK(a, "NULL from reallocarray(NULL, 10, 10)");
    free(a);
    free(NULL);
    CHECK(malloc_usable_size(NULL) == 0, "%zu", malloc_usable_size(NULL));
}

static void free_keeps_errno(void)
{
    for (size_t size = 1; size < 40u << 20; size = size * 2 + 1) {
        void *p = malloc(size);

        CHECK(p, "NULL for %zu bytes", size);
        fill(p, size, 1);
        errno = 77;
        free(p);
        CHECK(errno == 77, "errno %d after a free of %zu bytes", errno, size);
    }
    errno = 77;
    free(NULL);
    CHECK(errno == 77, "errno %d after free(NULL)", errno);
}

int main(void)
{
    too_much();
    bad_alignment();
    zero_and_null();
    free_keeps_errno();
    puts("as the standards say");
    return 0;
}
