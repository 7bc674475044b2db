/* come_and_go [rounds] [threads]
 *
 * Threads fill a few MiB with stamped blocks of one size after another and free all of it, some
 * of it in another thread, while idle memory is given back at every moment: by a tick of 1 ms
 * (HAKMEM_TICK=1) and by the threads themselves. SuperSlabs are unmapped under the feet of
 * threads that look for slabs. */
#include <pthread.h>
#include <string.h>

#include "alloc.h"
#include "at_the_end.h"
#include "reclaim.h"

enum { MAX_THREADS = 16, BLOCKS = 3000 };

uint64_t stress_seed;
static unsigned rounds = 60, threads = 4;
/* Blocks that a thread leaves for any other to free. */
static _Atomic(unsigned char *) left[256];

static unsigned char stamp_of(const unsigned char *p)
{
    return (unsigned char)((uintptr_t)p >> 4 | 1);
}

static unsigned char *stamped(size_t size)
{
    unsigned char *p = stress_malloc(size);

    if (!p)
        broken("no memory for %zu bytes", size);
    if (p[0] == stamp_of(p) && p[size - 1] == stamp_of(p) && p[size / 2] == stamp_of(p))
        broken("%p of %zu bytes is somebody else's", (void *)p, size);
    memset(p, stamp_of(p), size);
    return p;
}

static void check_and_free(unsigned char *p, size_t size)
{
    if (p[0] != stamp_of(p) || p[size - 1] != stamp_of(p))
        broken("%p of %zu bytes: first byte %02x, last %02x", (void *)p, size, p[0], p[size - 1]);
    /* So that a block that is handed out twice at a time bears a stamp. */
    memset(p, 0, size);
    stress_free(p);
}

static void *run(void *arg)
{
    uint64_t random = stress_seed + (uintptr_t)arg;
    unsigned char **p = stress_malloc(BLOCKS * sizeof(*p));

    for (unsigned r = 0; r < rounds; r++) {
        size_t size = 16 + random_next(&random) % 2032;
        unsigned n = 1 + (unsigned)(random_next(&random) % BLOCKS);

        for (unsigned i = 0; i < n; i++)
            p[i] = stamped(size);
        for (unsigned i = 0; i < n; i++) {
            unsigned place = (unsigned)(random_next(&random) % 256);
            unsigned char *other;

            if (random_next(&random) % 16) {
                check_and_free(p[i], size);
                continue;
            }
            other = atomic_exchange(&left[place], p[i]);
            if (other)
                check_and_free(other, 1);
        }
        hak_drain();
        if (random_next(&random) % 4 == 0)
            (void)reclaim_now();
    }
    stress_free(p);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread[MAX_THREADS];

    stress_seed = seed_of(getenv("SEED"));
    if (argc > 1)
        rounds = (unsigned)atoi(argv[1]);
    if (argc > 2)
        threads = (unsigned)atoi(argv[2]);
    for (unsigned life = 0; life < 3; life++) {
        for (unsigned t = 0; t < threads && t < MAX_THREADS; t++)
            if (pthread_create(&thread[t], NULL, run, (void *)(uintptr_t)(life * 100 + t)) != 0)
                broken("no thread");
        for (unsigned t = 0; t < threads && t < MAX_THREADS; t++)
            pthread_join(thread[t], NULL);
    }
    for (unsigned i = 0; i < 256; i++)
        if (left[i])
            check_and_free(left[i], 1);
    at_the_end(false);
    return 0;
}
