/* producer_consumer [blocks] [pairs]
 *
 * Half of the threads allocate, the other half free: every free is of another thread's block,
 * handed over through a ring of 1,024 places. 16 to 1,040 bytes; the consumer looks at what the
 * producer wrote. An operation is one block's malloc and free. */
#include <stdatomic.h>

#include "bench.h"

enum { PLACES = 1024, SIZE_LOW = 16, SIZE_HIGH = 1040 };

typedef struct {
    _Alignas(64) _Atomic uint64_t put;
    _Alignas(64) _Atomic uint64_t taken;
    struct {
        unsigned char *p;
        uint32_t size;
    } place[PLACES];
    uint64_t blocks, seed;
    pthread_barrier_t *gate;
} ring;

static void *produce(void *arg)
{
    ring *r = arg;
    bench_rng rng;

    rng_seed(&rng, r->seed);
    pthread_barrier_wait(r->gate);
    for (uint64_t n = 0; n < r->blocks; n++) {
        uint32_t size = SIZE_LOW + rng_below(&rng, SIZE_HIGH - SIZE_LOW + 1);
        unsigned char *p = must(malloc(size), size);

        p[0] = p[size - 1] = (unsigned char)n;
        while (n - atomic_load_explicit(&r->taken, memory_order_acquire) >= PLACES)
            sched_yield();
        r->place[n % PLACES].p = p;
        r->place[n % PLACES].size = size;
        atomic_store_explicit(&r->put, n + 1, memory_order_release);
    }
    return NULL;
}

static void *consume(void *arg)
{
    ring *r = arg;

    pthread_barrier_wait(r->gate);
    for (uint64_t n = 0; n < r->blocks; n++) {
        while (atomic_load_explicit(&r->put, memory_order_acquire) <= n)
            sched_yield();
        unsigned char *p = r->place[n % PLACES].p;
        uint32_t size = r->place[n % PLACES].size;

        if (p[0] != (unsigned char)n || p[size - 1] != (unsigned char)n)
            die("block %p of %u bytes: first byte %02x, last %02x, written %02x", (void *)p, size,
                p[0], p[size - 1], (unsigned char)n);
        free(p);
        atomic_store_explicit(&r->taken, n + 1, memory_order_release);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static ring rings[BENCH_MAX_THREADS / 2];
    uint64_t blocks = arg_number(argc, argv, 1, "blocks", 1, 1u << 30, 4000000);
    uint64_t pairs = arg_number(argc, argv, 2, "pairs", 1, BENCH_MAX_THREADS / 2, 1);
    pthread_t ids[BENCH_MAX_THREADS];
    pthread_barrier_t gate;

    pthread_barrier_init(&gate, NULL, (unsigned)(2 * pairs + 1));
    for (uint64_t i = 0; i < pairs; i++) {
        rings[i].blocks = blocks / pairs;
        rings[i].seed = i + 1;
        rings[i].gate = &gate;
        start_thread(&ids[2 * i], produce, &rings[i]);
        start_thread(&ids[2 * i + 1], consume, &rings[i]);
    }
    pthread_barrier_wait(&gate);
    uint64_t start = now_ns();
    for (uint64_t i = 0; i < 2 * pairs; i++)
        pthread_join(ids[i], NULL);
    report("producer_consumer", blocks / pairs * pairs, now_ns() - start);
    return 0;
}
