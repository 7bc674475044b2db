/*
 * What of the memory that hakmem has mapped the system holds pages for. Asked of the kernel
 * (mincore), granule by granule of the page map and table by table, without a lock: what is mapped
 * or unmapped meanwhile may be missed. Called by whoever makes a state dump, one at a time; keeps
 * nothing but how long the last look took. Allocates nothing.
 */
#ifndef HAKMEM_RESIDENT_H
#define HAKMEM_RESIDENT_H

#include "geometry.h"
#include "trace.h"

#if HAK_TRACE

/* Bytes in memory. */
struct resident {
    uint64_t active[CLASSES];     /* slabs that are ACTIVE, legacy's too */
    uint64_t empty;               /* slabs of which nothing is live, or that are just given back */
    uint64_t unbound;             /* slabs that were never bound: only huge pages bring them in */
    uint64_t layer[HAK_HUGE + 1]; /* regions without what is known of them; huge blocks */
    uint64_t headers;             /* of SuperSlabs and regions */
    uint64_t tables;              /* page map, registry, owners, threads' caches, the reserve */
    bool known;                   /* false: it was not looked at, or the kernel does not tell */
};

/* A look costs some milliseconds a GiB. Unless it must be, there is none before a thousand times as
 * long as the last one took has passed. */
void resident_take(struct resident *r, bool must);

#endif

#endif
