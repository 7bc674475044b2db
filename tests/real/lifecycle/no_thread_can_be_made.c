/* Where the system refuses every further thread and process, the allocator does without the one
 * it would like to have. */
#include <sys/resource.h>

#include "check.h"

enum { SOME_USER = 54321, BLOCKS = 100000, ROUNDS = 5 };

static void *nothing(void *arg)
{
    return arg;
}

int main(void)
{
    static unsigned char *blocks[BLOCKS];
    struct rlimit none = {0, 0};
    uint32_t random = 1;
    pthread_t id;

    /* The limit does not hold for root. */
    CHECK(setrlimit(RLIMIT_NPROC, &none) == 0, "%s", strerror(errno));
    CHECK(geteuid() || setuid(SOME_USER) == 0, "%s", strerror(errno));
    for (int round = 0; round < ROUNDS; round++) {
        int e = pthread_create(&id, NULL, nothing, NULL);

        CHECK(e == EAGAIN, "error %d", e);
        CHECK(fork() < 0 && errno == EAGAIN, "fork: %s", strerror(errno));
        for (int i = 0; i < BLOCKS; i++) {
            size_t size = next_random(&random) % (i % 100 ? 1000 : 100000);

            blocks[i] = malloc(size + 1);
            CHECK(blocks[i], "NULL for %zu bytes", size + 1);
            blocks[i][0] = (unsigned char)i;
            blocks[i][size] = (unsigned char)i;
        }
        nanosleep(&(struct timespec){0, 200000000}, NULL);
        for (int i = 0; i < BLOCKS; i++) {
            CHECK(blocks[i][0] == (unsigned char)i, "block %d changed", i);
            free(blocks[i]);
        }
    }
    puts("done without");
    return 0;
}
