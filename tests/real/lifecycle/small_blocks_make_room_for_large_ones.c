/* Small blocks fill the address space up to its limit; freed, they make room for large requests,
 * and those for small ones again. */
#include <sys/resource.h>

#include "check.h"

enum { LIMIT_MB = 512, MOST = 1 << 22 };

static void *blocks[MOST];

static size_t exhaust(size_t size)
{
    size_t n = 0;

    while (n < MOST && (blocks[n] = malloc(size)))
        fill(blocks[n], size < 64 ? size : 64, (unsigned char)n), n++;
    CHECK(n < MOST, "no limit after %d blocks of %zu bytes", MOST, size);
    CHECK(errno == ENOMEM, "errno %d", errno);
    return n;
}

int main(void)
{
    struct rlimit limit = {(rlim_t)LIMIT_MB << 20, (rlim_t)LIMIT_MB << 20};
    static const size_t small[] = {1000, 200, 2048}, large[] = {5000, 60000, 700000, 9000000};

    CHECK(freopen("/dev/null", "w", stderr), "%s", strerror(errno)); /* it may well complain */
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0, "%s", strerror(errno));
    for (size_t s = 0; s < sizeof small / sizeof *small; s++) {
        size_t n = exhaust(small[s]);
        void *half;

        for (size_t i = 0; i < n; i++)
            free(blocks[i]);
        half = malloc((size_t)LIMIT_MB << 19);
        CHECK(half, "no %d MiB after %zu blocks of %zu bytes were freed", LIMIT_MB / 2, n,
              small[s]);
        free(half);
        for (size_t l = 0; l < sizeof large / sizeof *large; l++) {
            size_t m = exhaust(large[l]);

            for (size_t i = 0; i < m; i++)
                free(blocks[i]);
            printf("note: %zu MiB in blocks of %zu, %zu MiB in blocks of %zu\n", n * small[s] >> 20,
                   small[s], m * large[l] >> 20, large[l]);
            CHECK(m * large[l] >= (size_t)LIMIT_MB << 19, "%zu MiB in blocks of %zu bytes",
                  m * large[l] >> 20, large[l]);
        }
    }
    puts("the address space changed its use 15 times");
    return 0;
}
