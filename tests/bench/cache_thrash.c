/* cache_thrash [thrash|active|passive] [threads] [rounds] [size] [writes]
 *
 * Does the allocator put blocks of different threads on one cache line?
 *   thrash   a thread takes a few blocks, writes all of them again and again, frees them
 *   active   a thread does so with one block at a time: blocks handed out alternately to
 *            threads share a line if the allocator carves them from one place
 *   passive  the first block of each thread comes from the main thread, neighbours all; the
 *            worker frees it and goes on as in `active`: an allocator that keeps it for the
 *            worker keeps the shared line too
 * An operation is one malloc and free with its writes. */
#include "bench.h"

enum { THRASH_BLOCKS = 16, MAX_BLOCKS = THRASH_BLOCKS };

typedef struct {
    unsigned char *given;
    uint64_t rounds, writes;
    size_t size;
    unsigned blocks;
    unsigned char stamp;
    pthread_barrier_t *gate;
} job;

/* volatile: each write must reach the cache line, which is what is measured. */
static void write_over(volatile unsigned char *p, size_t size, uint64_t writes)
{
    for (uint64_t w = 0; w < writes; w++)
        for (size_t i = 0; i < size; i++)
            p[i] = (unsigned char)(p[i] + 1);
}

static void *run(void *arg)
{
    job *j = arg;
    unsigned char *held[MAX_BLOCKS];

    pthread_barrier_wait(j->gate);
    if (j->given) {
        write_over(j->given, j->size, j->writes);
        free(j->given);
    }
    for (uint64_t r = 0; r < j->rounds; r++) {
        for (unsigned b = 0; b < j->blocks; b++) {
            held[b] = must(malloc(j->size), j->size);
            memset(held[b], j->stamp, j->size);
        }
        for (unsigned b = 0; b < j->blocks; b++)
            write_over(held[b], j->size, j->writes);
        for (unsigned b = 0; b < j->blocks; b++) {
            if (held[b][j->size - 1] != (unsigned char)(j->stamp + j->writes))
                die("block %p: last byte %02x, expected %02x", (void *)held[b],
                    held[b][j->size - 1], (unsigned char)(j->stamp + j->writes));
            free(held[b]);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "thrash";
    bool passive = !strcmp(mode, "passive"), thrash = !strcmp(mode, "thrash");
    char name[32];

    if (!passive && !thrash && strcmp(mode, "active"))
        die("mode '%s': thrash, active or passive", mode);
    uint64_t threads = arg_number(argc, argv, 2, "threads", 1, BENCH_MAX_THREADS, 2);
    uint64_t rounds = arg_number(argc, argv, 3, "rounds", 1, 1u << 30, thrash ? 500000 : 5000000);
    uint64_t size = arg_number(argc, argv, 4, "size", 1, 4096, 8);
    uint64_t writes = arg_number(argc, argv, 5, "writes", 1, 1u << 30, 10);
    pthread_t ids[BENCH_MAX_THREADS];
    job jobs[BENCH_MAX_THREADS];
    pthread_barrier_t gate;

    pthread_barrier_init(&gate, NULL, (unsigned)threads + 1);
    for (uint64_t t = 0; t < threads; t++)
        jobs[t] = (job){.given = passive ? must(calloc(1, size), size) : NULL,
                        .rounds = rounds,
                        .writes = writes,
                        .size = size,
                        .blocks = thrash ? THRASH_BLOCKS : 1,
                        .stamp = (unsigned char)(t + 1),
                        .gate = &gate};
    for (uint64_t t = 0; t < threads; t++)
        start_thread(&ids[t], run, &jobs[t]);
    pthread_barrier_wait(&gate);
    uint64_t start = now_ns();
    for (uint64_t t = 0; t < threads; t++)
        pthread_join(ids[t], NULL);
    snprintf(name, sizeof name, "cache_thrash_%s", mode);
    report(name, threads * rounds * jobs[0].blocks, now_ns() - start);
    return 0;
}
