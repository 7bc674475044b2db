/* larson [rounds] [min size] [max size] [chunks per thread] [threads] [seed]
 *
 * A server that replaces its threads: each line of succession owns an array of blocks. A thread
 * replaces random blocks of its line, then starts its successor, hands it the array and ends; so
 * most frees are of blocks that a thread which is gone allocated. A round is one such life. */
#include <semaphore.h>

#include "bench.h"

enum { REPLACEMENTS_PER_CHUNK = 10 };

typedef struct {
    unsigned char *p;
    uint32_t size;
} chunk;

typedef struct {
    chunk *chunks;
    uint32_t count, low, span;
    uint64_t rounds_left;
    bench_rng rng;
    pthread_attr_t *detached;
    sem_t *ended;
} line;

static unsigned char stamp_of(const chunk *c)
{
    return (unsigned char)(c->size * 31u + 7u);
}

static void fill(line *l, chunk *c)
{
    c->size = l->low + rng_below(&l->rng, l->span);
    c->p = must(malloc(c->size), c->size);
    c->p[0] = c->p[c->size - 1] = stamp_of(c);
}

static void release(const chunk *c)
{
    if (c->p[0] != stamp_of(c) || c->p[c->size - 1] != stamp_of(c))
        die("block %p of %u bytes: first byte %02x, last %02x, written %02x", (void *)c->p, c->size,
            c->p[0], c->p[c->size - 1], stamp_of(c));
    free(c->p);
}

static void *life(void *arg)
{
    line *l = arg;
    uint64_t replacements = (uint64_t)l->count * REPLACEMENTS_PER_CHUNK;
    pthread_t successor;

    for (uint64_t i = 0; i < replacements; i++) {
        chunk *c = &l->chunks[rng_below(&l->rng, l->count)];

        release(c);
        fill(l, c);
    }
    if (--l->rounds_left == 0) {
        sem_post(l->ended);
        return NULL;
    }
    int e = pthread_create(&successor, l->detached, life, l);
    if (e)
        die("pthread_create of a successor: %s", strerror(e));
    return NULL;
}

/* The first blocks come from the main thread, shuffled, so that neighbours in memory end up
 * in different threads' hands. */
static void prepare(line *lines, uint64_t threads, uint64_t seed)
{
    bench_rng rng;

    for (uint32_t i = 0; i < lines[0].count; i++)
        for (uint64_t t = 0; t < threads; t++)
            fill(&lines[t], &lines[t].chunks[i]);
    rng_seed(&rng, seed);
    for (uint64_t t = 0; t < threads; t++) {
        for (uint32_t i = lines[t].count; i > 1; i--) {
            chunk *a = &lines[t].chunks[i - 1], *b = &lines[t].chunks[rng_below(&rng, i)];
            chunk swap = *a;

            *a = *b;
            *b = swap;
        }
    }
}

int main(int argc, char **argv)
{
    uint64_t rounds = arg_number(argc, argv, 1, "rounds", 1, 1u << 30, 100);
    uint64_t low = arg_number(argc, argv, 2, "min size", 1, 1u << 24, 8);
    uint64_t high = arg_number(argc, argv, 3, "max size", low, 1u << 24, low > 1000 ? low : 1000);
    uint64_t chunks = arg_number(argc, argv, 4, "chunks per thread", 1, 1u << 26, 5000);
    uint64_t threads = arg_number(argc, argv, 5, "threads", 1, BENCH_MAX_THREADS, 2);
    uint64_t seed = arg_number(argc, argv, 6, "seed", 0, UINT64_MAX, 42);
    static line lines[BENCH_MAX_THREADS];
    pthread_attr_t detached;
    pthread_t first;
    sem_t ended;

    sem_init(&ended, 0, 0);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    for (uint64_t t = 0; t < threads; t++) {
        chunk *array = must(calloc(chunks, sizeof(chunk)), chunks * sizeof(chunk));

        lines[t] = (line){.chunks = array,
                          .count = (uint32_t)chunks,
                          .low = (uint32_t)low,
                          .span = (uint32_t)(high - low + 1),
                          .rounds_left = rounds,
                          .detached = &detached,
                          .ended = &ended};
        rng_seed(&lines[t].rng, seed + t * 1000003u);
    }
    prepare(lines, threads, seed);
    uint64_t start = now_ns();
    for (uint64_t t = 0; t < threads; t++) {
        int e = pthread_create(&first, &detached, life, &lines[t]);
        if (e)
            die("pthread_create: %s", strerror(e));
    }
    for (uint64_t t = 0; t < threads; t++)
        while (sem_wait(&ended) && errno == EINTR)
            continue;
    report("larson", rounds * threads * chunks * REPLACEMENTS_PER_CHUNK, now_ns() - start);
    for (uint64_t t = 0; t < threads; t++) {
        for (uint32_t i = 0; i < lines[t].count; i++)
            release(&lines[t].chunks[i]);
        free(lines[t].chunks);
    }
    return 0;
}
