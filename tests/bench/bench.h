/* What the benchmarks share: a PRNG, a clock, checked arguments and the result line.
 * Everything here works without malloc, so that only the measured loop allocates. */
#ifndef HAK_BENCH_H
#define HAK_BENCH_H

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BENCH_MAX_THREADS = 64 };

/* SplitMix64 for seeding, xorshift64* for the loop: one multiplication a number. */
typedef struct {
    uint64_t state;
} bench_rng;

static inline void rng_seed(bench_rng *r, uint64_t seed)
{
    uint64_t z = seed + 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    r->state = (z ^ (z >> 31)) | 1u; /* xorshift must not start at zero */
}

/* Uniform in [0, n): the high half of a 32×32 product, so no division in the loop. */
static inline uint32_t rng_below(bench_rng *r, uint32_t n)
{
    uint64_t x = r->state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    r->state = x;
    return (uint32_t)((((x * 0x2545f4914f6cdd1du) >> 32) * n) >> 32);
}

static inline uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

/* argv[i] as a number within [low, high], or `otherwise` if it is not given. */
static inline uint64_t arg_number(int argc, char **argv, int i, const char *name, uint64_t low,
                                  uint64_t high, uint64_t otherwise)
{
    char *end;

    if (i >= argc)
        return otherwise;
    errno = 0;
    uint64_t n = strtoull(argv[i], &end, 10);
    if (errno || end == argv[i] || *end || argv[i][0] == '-' || n < low || n > high)
        die("%s: '%s' is not a number from %llu to %llu", name, argv[i], (unsigned long long)low,
            (unsigned long long)high);
    return n;
}

static inline void *must(void *p, size_t size)
{
    if (!p)
        die("malloc(%zu) returned NULL: %s", size, strerror(errno));
    return p;
}

static inline void start_thread(pthread_t *t, void *(*body)(void *), void *arg)
{
    int e = pthread_create(t, NULL, body, arg);

    if (e)
        die("pthread_create: %s", strerror(e));
}

/* The one line that scripts/bench reads. */
static inline void report(const char *name, uint64_t ops, uint64_t ns)
{
    printf("bench=%s ops=%llu ns=%llu ops_per_s=%.0f\n", name, (unsigned long long)ops,
           (unsigned long long)ns, (double)ops * 1e9 / (double)(ns ? ns : 1));
}

#endif
