/* At the address space's limit every call answers NULL with ENOMEM or an aligned block; what is
 * there stays intact, and after frees there is memory again, for other sizes as well. */
#include <sys/resource.h>

#include "check.h"

enum { LIMIT_MB = 192, MOST = 4000000 };

static unsigned char *blocks[MOST];

/* Allocates blocks of `size` until NULL; returns how many. */
static size_t exhaust(size_t size)
{
    size_t n = 0;

    for (; n < MOST; n++) {
        errno = 0;
        blocks[n] = malloc(size);
        if (!blocks[n])
            break;
        fill(blocks[n], size, (unsigned char)n);
    }
    CHECK(n < MOST, "no limit after %d blocks of %zu bytes", MOST, size);
    CHECK(errno == ENOMEM, "errno %d", errno);
    return n;
}

static void aligned_or_nothing(void)
{
    for (size_t alignment = 16; alignment <= 4096; alignment *= 2) {
        for (size_t size = 1; size <= 3000; size = size * 3 + 1) {
            void *p = NULL;
            int e = posix_memalign(&p, alignment, size);

            CHECK(e == 0 || e == ENOMEM, "error %d", e);
            CHECK((uintptr_t)p % alignment == 0, "%p, alignment %zu, size %zu", p, alignment, size);
            free(p);
        }
    }
}

static void release(size_t n, size_t size)
{
    for (size_t i = 0; i < n; i++) {
        CHECK(holds(blocks[i], size, (unsigned char)i), "block %zu of %zu changed", i, n);
        free(blocks[i]);
    }
}

int main(void)
{
    struct rlimit limit = {(rlim_t)LIMIT_MB << 20, (rlim_t)LIMIT_MB << 20};
    /* Two fifths of the limit must be usable, whatever else is busy at that moment. */
    size_t least = ((size_t)LIMIT_MB << 20) / 5 * 2;

    CHECK(freopen("/dev/null", "w", stderr), "%s", strerror(errno)); /* it may well complain */
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0, "%s", strerror(errno));
    static const size_t sizes[] = {100000, 5000, 100, 1000, 40, 100};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t n = exhaust(sizes[s]);

        aligned_or_nothing();
        CHECK(realloc(blocks[0], 1u << 30) == NULL && errno == ENOMEM, "errno %d", errno);
        printf("note: %zu MB in blocks of %zu\n", n * sizes[s] >> 20, sizes[s]);
        CHECK(n * sizes[s] >= least, "%zu MB of %d in blocks of %zu bytes", n * sizes[s] >> 20,
              LIMIT_MB, sizes[s]);
        release(n, sizes[s]);
    }
    puts("memory ran out six times");
    return 0;
}
