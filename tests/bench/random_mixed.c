/* random_mixed [operations] [working set] [threads] [seed]
 *
 * An operation picks a random slot: frees what is there, or allocates 16 to 1,040 bytes if nothing
 * is. The working set is the number of slots of one thread, half of them taken on average; the
 * operations are shared among threads. */
#include "bench.h"

enum { SIZE_LOW = 16, SIZE_HIGH = 1040 };

typedef struct {
    unsigned char *p;
    uint32_t size;
    unsigned char stamp;
} slot;

typedef struct {
    uint64_t operations, seed;
    uint32_t slots;
    pthread_barrier_t *gate;
} job;

static void release(slot *s)
{
    if (s->p[0] != s->stamp || s->p[s->size - 1] != s->stamp)
        die("block %p of %u bytes: first byte %02x, last %02x, written %02x", (void *)s->p, s->size,
            s->p[0], s->p[s->size - 1], s->stamp);
    free(s->p);
}

static void *run(void *arg)
{
    job *j = arg;
    slot *slots = must(calloc(j->slots, sizeof *slots), j->slots * sizeof *slots);
    bench_rng rng;

    rng_seed(&rng, j->seed);
    pthread_barrier_wait(j->gate);
    for (uint64_t i = 0; i < j->operations; i++) {
        slot *s = &slots[rng_below(&rng, j->slots)];

        if (s->p) {
            release(s);
            s->p = NULL;
            continue;
        }
        s->size = SIZE_LOW + rng_below(&rng, SIZE_HIGH - SIZE_LOW + 1);
        s->stamp = (unsigned char)i;
        s->p = must(malloc(s->size), s->size);
        s->p[0] = s->p[s->size - 1] = s->stamp;
    }
    for (uint32_t i = 0; i < j->slots; i++)
        if (slots[i].p)
            release(&slots[i]);
    free(slots);
    return NULL;
}

int main(int argc, char **argv)
{
    uint64_t operations = arg_number(argc, argv, 1, "operations", 1, UINT64_MAX, 10000000);
    uint64_t slots = arg_number(argc, argv, 2, "working set", 1, 1u << 28, 256);
    uint64_t threads = arg_number(argc, argv, 3, "threads", 1, BENCH_MAX_THREADS, 1);
    uint64_t seed = arg_number(argc, argv, 4, "seed", 0, UINT64_MAX, 42);
    pthread_t ids[BENCH_MAX_THREADS];
    job jobs[BENCH_MAX_THREADS];
    pthread_barrier_t gate;
    uint64_t done = 0;

    pthread_barrier_init(&gate, NULL, (unsigned)threads + 1);
    for (uint64_t t = 0; t < threads; t++) {
        uint64_t share = operations / threads + (t < operations % threads);

        jobs[t] = (job){share, seed + t * 1000003u, (uint32_t)slots, &gate};
        done += share;
        start_thread(&ids[t], run, &jobs[t]);
    }
    pthread_barrier_wait(&gate);
    uint64_t start = now_ns();
    for (uint64_t t = 0; t < threads; t++)
        pthread_join(ids[t], NULL);
    report("random_mixed", done, now_ns() - start);
    return 0;
}
