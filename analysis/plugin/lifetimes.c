#include "lifetimes.h"

#include <string.h>

#include "memory.h"

#define STEP_LG 5
#define STEPS (1u << STEP_LG)
/* Below STEPS nanoseconds each has a bucket of its own. */
#define BUCKETS ((64 - STEP_LG) * STEPS)

struct lifetimes {
    uint32_t proc;
    bool any;
    uint64_t count[CLASSES][BUCKETS];
};

struct lifetimes *lifetimes_new(void)
{
    return memory_new(sizeof(struct lifetimes));
}

static unsigned bucket_of(uint64_t ns)
{
    unsigned lg;

    if (ns < STEPS)
        return (unsigned)ns;
    lg = 63 - (unsigned)__builtin_clzll(ns);
    return ((lg - STEP_LG + 1) << STEP_LG) + (unsigned)((ns >> (lg - STEP_LG)) & (STEPS - 1));
}

/* The least ns of a bucket. */
static uint64_t low_of(unsigned bucket)
{
    unsigned doubling = bucket >> STEP_LG;

    if (doubling == 0)
        return bucket;
    return (uint64_t)(STEPS + (bucket & (STEPS - 1))) << (doubling - 1);
}

void lifetimes_flush(struct lifetimes *t, struct store *store)
{
    if (!t->any)
        return;
    for (unsigned c = 0; c < CLASSES; c++)
        for (unsigned b = 0; b < BUCKETS; b++)
            if (t->count[c][b])
                PUT(store, lifetime, (NULL), t->proc, c, (int64_t)low_of(b),
                    (int64_t)low_of(b + 1) - 1, (int64_t)t->count[c][b]);
    memset(t->count, 0, sizeof(t->count));
    t->any = false;
}

void lifetimes_add(struct lifetimes *t, struct store *store, const struct life *life)
{
    if (t->any && life->proc != t->proc)
        lifetimes_flush(t, store);
    if (life->begin == UNKNOWN || life->end == UNKNOWN || life->end < life->begin ||
        life->cls >= CLASSES || (life->ended != LIFE_LISTED && life->ended != LIFE_UNLISTED))
        return;
    t->proc = life->proc;
    t->any = true;
    t->count[life->cls][bucket_of((uint64_t)(life->end - life->begin))]++;
}
