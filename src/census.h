/*
 * The census: what all slabs hold, class by class, counted slab by slab while other threads go on.
 * Called by whoever makes a state dump, one at a time; keeps nothing but how long the remote queues
 * were the last time. Allocates nothing.
 */
#ifndef HAKMEM_CENSUS_H
#define HAKMEM_CENSUS_H

#include "superslab.h"

#if HAK_TRACE

/* Of a class; slabs that are ACTIVE, unless it says otherwise. */
struct census_class {
    uint32_t slabs;
    uint32_t sparse;      /* slabs of which at most a quarter of the carved blocks live */
    uint64_t used;        /* blocks not on their slab's freelist */
    uint64_t carved;      /* blocks handed out at least once in this life */
    uint64_t capacity;    /* blocks */
    uint64_t remote;      /* of used: in remote queues */
    uint64_t sparse_free; /* blocks on the freelists of sparse slabs */
    uint64_t kept;        /* blocks once carved of slabs that are EMPTY and have their memory */
};

struct census {
    struct census_class cls[CLASSES];
    uint32_t superslabs, slabs; /* slabs that were ever bound */
    bool whole;                 /* the pool's SuperSlabs could be looked at */
    bool exact;                 /* every remote queue was counted, none estimated */
};

/* Told of everything that is counted, each SuperSlab before its slabs; either may be NULL. remote:
 * at least 1 where there are any. */
struct census_taker {
    void (*superslab)(const struct superslab *ss);
    void (*slab)(const struct slab *s, uint32_t info, uint32_t remote);
};

void census_take(struct census *c, const struct census_taker *taker);

#endif

#endif
