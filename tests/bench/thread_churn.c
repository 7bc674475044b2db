/* thread_churn [threads] [at once]
 *
 * Short threads, so many at once: each allocates 200 blocks of 16 to 1,040 bytes, frees half of
 * what it and half of what an earlier thread left, and ends. An operation is one thread's life.
 * What is left at any time is bounded, so memory must be, too. */
#include "bench.h"

enum { BLOCKS = 200 };

typedef struct {
    unsigned char *left[BLOCKS / 2];
    uint64_t seed;
} life;

static void *run(void *arg)
{
    life *l = arg;
    unsigned char *own[BLOCKS];
    bench_rng rng;

    rng_seed(&rng, l->seed);
    for (unsigned i = 0; i < BLOCKS; i++) {
        uint32_t size = 16 + rng_below(&rng, 1025);

        own[i] = must(malloc(size), size);
        memset(own[i], (int)i, size);
    }
    for (unsigned i = 0; i < BLOCKS / 2; i++) {
        free(l->left[i]);
        l->left[i] = own[2 * i];
        free(own[2 * i + 1]);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static life lives[BENCH_MAX_THREADS];
    uint64_t threads = arg_number(argc, argv, 1, "threads", 1, 1u << 24, 10000);
    uint64_t at_once = arg_number(argc, argv, 2, "at once", 1, BENCH_MAX_THREADS, 8);
    pthread_t ids[BENCH_MAX_THREADS];
    uint64_t start = now_ns();

    for (uint64_t done = 0; done < threads; done += at_once) {
        for (uint64_t t = 0; t < at_once; t++) {
            lives[t].seed = done + t + 1;
            start_thread(&ids[t], run, &lives[t]);
        }
        for (uint64_t t = 0; t < at_once; t++)
            pthread_join(ids[t], NULL);
    }
    report("thread_churn", (threads + at_once - 1) / at_once * at_once, now_ns() - start);
    return 0;
}
