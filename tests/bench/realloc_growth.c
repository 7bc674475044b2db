/* realloc_growth [vector|string] [rounds]
 *
 *   vector  64 vectors grow by half again and again from 16 bytes to 4 MiB, in turns, each filled
 *           to its end, and are freed
 *   string  1,024 strings grow by 1 to 32 bytes at a time to 4 KiB, in turns
 * An operation is one realloc. The contents are checked at the end of each round. */
#include "bench.h"

enum { VECTORS = 64, VECTOR_MAX = 4 << 20, STRINGS = 1024, STRING_MAX = 4096 };

typedef struct {
    unsigned char *p;
    size_t size;
} growing;

static uint64_t grow(growing *g, size_t size, unsigned char stamp)
{
    g->p = must(realloc(g->p, size), size);
    memset(g->p + g->size, stamp, size - g->size);
    g->size = size;
    return 1;
}

static void finish(growing *g, unsigned char stamp)
{
    if (g->p[0] != stamp || g->p[g->size / 2] != stamp || g->p[g->size - 1] != stamp)
        die("block %p of %zu bytes does not hold what was written", (void *)g->p, g->size);
    free(g->p);
    *g = (growing){NULL, 0};
}

static uint64_t vectors(void)
{
    static growing v[VECTORS];
    uint64_t ops = 0;

    for (size_t size = 16; size <= VECTOR_MAX; size += size / 2)
        for (unsigned i = 0; i < VECTORS; i++)
            ops += grow(&v[i], size + i, (unsigned char)i);
    for (unsigned i = 0; i < VECTORS; i++)
        finish(&v[i], (unsigned char)i);
    return ops;
}

static uint64_t strings(bench_rng *rng)
{
    static growing s[STRINGS];
    uint64_t ops = 0;

    for (unsigned shortest = 0; shortest < STRING_MAX; shortest += 16)
        for (unsigned i = 0; i < STRINGS; i++)
            if (s[i].size < STRING_MAX)
                ops += grow(&s[i], s[i].size + 1 + rng_below(rng, 32), (unsigned char)i);
    for (unsigned i = 0; i < STRINGS; i++)
        finish(&s[i], (unsigned char)i);
    return ops;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "vector";
    bool vector = !strcmp(mode, "vector");
    uint64_t ops = 0;
    char name[32];
    bench_rng rng;

    if (!vector && strcmp(mode, "string"))
        die("mode '%s': vector or string", mode);
    uint64_t rounds = arg_number(argc, argv, 2, "rounds", 1, 1u << 20, vector ? 4 : 20);
    rng_seed(&rng, 1);
    uint64_t start = now_ns();
    for (uint64_t r = 0; r < rounds; r++)
        ops += vector ? vectors() : strings(&rng);
    snprintf(name, sizeof name, "realloc_%s", mode);
    report(name, ops, now_ns() - start);
    return 0;
}
