/* Where no memory is left at all, realloc to a smaller size succeeds, as programs count on. */
#include <sys/resource.h>

#include "check.h"

enum { BLOCKS = 4000 };

static void shrink_all(size_t from, size_t to)
{
    static unsigned char *held[BLOCKS];

    for (size_t i = 0; i < BLOCKS; i++) {
        held[i] = malloc(from);
        CHECK(held[i], "no block %zu of %zu bytes", i, from);
        memset(held[i], (int)(i % 251), from);
    }
    struct rlimit limit = {1 << 20, RLIM_INFINITY};
    CHECK(freopen("/dev/null", "w", stderr), "%s", strerror(errno)); /* it may well complain */
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0, "%s", strerror(errno));
    for (size_t size = 32768; size; size /= 2)
        while (malloc(size))
            ;
    for (size_t i = 0; i < BLOCKS; i++) {
        unsigned char *p = realloc(held[i], to);

        CHECK(p, "NULL for block %zu, %zu bytes to %zu", i, from, to);
        CHECK(p[0] == i % 251 && p[to - 1] == i % 251, "other bytes in block %zu", i);
    }
}

int main(void)
{
    static const size_t sizes[][2] = {{2000, 900}, {30000, 10000}, {100, 20}, {20000, 600}};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
            shrink_all(sizes[i][0], sizes[i][1]);
            _exit(0);
        }
        waitpid(pid, &status, 0);
        CHECK(status == 0, "status 0x%x", (unsigned)status);
    }
    puts("all shrank");
}
