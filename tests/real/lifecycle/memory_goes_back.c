/* A program that frees nine tenths of 1 GiB in the order of allocation and then sleeps has the
 * pages back at the system within two seconds: from small blocks, from large ones, and from
 * blocks of threads that have ended. */
#include "check.h"

enum { MOST = 1 << 20, SLEEPS = 40, SLEEP_MS = 50, THREADS = 4 };
static const size_t GIB = (size_t)1 << 30;

static struct {
    unsigned char *p;
    uint32_t size;
} block[MOST];
static size_t blocks;

static size_t small(uint32_t *random)
{
    return 16 + next_random(random) % 2033;
}

static size_t large(uint32_t *random)
{
    return 2049 + next_random(random) % (4096u << next_random(random) % 11);
}

static size_t any(uint32_t *random)
{
    return next_random(random) % 8 ? small(random) : large(random);
}

/* Allocates and touches `bytes`; the blocks' numbers are handed out in order. */
static void allocate(size_t bytes, size_t (*size_of)(uint32_t *), uint32_t random)
{
    for (size_t sum = 0; sum < bytes;) {
        size_t size = size_of(&random), n = __atomic_fetch_add(&blocks, 1, __ATOMIC_RELAXED);

        CHECK(n < MOST, "%zu blocks", n);
        block[n].p = malloc(size);
        CHECK(block[n].p, "NULL for %zu bytes", size);
        block[n].size = (uint32_t)size;
        fill(block[n].p, size, (unsigned char)n);
        sum += size;
    }
}

static void *allocate_a_share(void *number)
{
    allocate(GIB / THREADS, any, 7 + (uint32_t)(uintptr_t)number);
    return NULL;
}

static void release(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        CHECK(holds(block[i].p, block[i].size, (unsigned char)i), "block %zu changed", i);
        free(block[i].p);
    }
}

/* Frees nine tenths, sleeps, and looks how long the pages stay. */
static void give_back(const char *what, long before)
{
    long peak = resident_kb() - before, now = peak;
    int slept = 0;

    release(0, blocks / 10 * 9);
    for (; slept < SLEEPS && now > peak / 5; slept++) {
        nanosleep(&(struct timespec){0, SLEEP_MS * 1000000L}, NULL);
        now = resident_kb() - before;
    }
    printf("note: %s: %ld MiB, then %ld MiB after %d ms\n", what, peak >> 10, now >> 10,
           slept * SLEEP_MS);
    if (with_hakmem())
        CHECK(now <= peak / 5, "%ld KiB of %ld two seconds after 90 %% were freed", now, peak);
    release(blocks / 10 * 9, blocks);
    blocks = 0;
}

int main(void)
{
    pthread_t id[THREADS];
    long before;

    fill(block, sizeof block, 0);
    before = resident_kb();
    allocate(GIB, small, 1);
    give_back("small blocks", before);
    allocate(GIB, large, 2);
    give_back("large blocks", before);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&id[i], NULL, allocate_a_share, (void *)i) == 0, "no thread");
    for (int i = 0; i < THREADS; i++)
        pthread_join(id[i], NULL);
    give_back("blocks of ended threads", before);
    puts("three times 1 GiB came and went");
    return 0;
}
