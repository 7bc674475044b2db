/*
 * A space: the regions that one of ACE's layers has mapped, and which of their units are free.
 * A region is 4 MiB, aligned, in units of 8 KiB; its first unit holds what is known of it, and
 * behind SPACE_HEADER bytes what the layer knows. What is given out is a run of units. The mid
 * layer cuts chunks of runs, a block of the large layer is a run.
 *
 * The lock of a space is its layer's, and guards all of both. Functions here want it held, but
 * for space_tend(), which takes it, and whose callers hold ace_tend.c's lock. It is a leaf.
 *
 * A unit is  used or free;  dirty since it was handed out for the first time, or again after a
 * purge, else known to be zero;  old if it was free and dirty at the last tick that aged it. What
 * the kernel would not take back stays dirty, and is tried again.
 */
#ifndef HAKMEM_ACE_SPACE_H
#define HAKMEM_ACE_SPACE_H

#include "ace_class.h"
#include "lock.h"
#include "trace.h"

#define REGION_LG 22
#define REGION_SIZE ((size_t)1 << REGION_LG)
#define UNIT_LG 13
#define UNIT_SIZE ((size_t)1 << UNIT_LG)
#define REGION_UNITS (1u << (REGION_LG - UNIT_LG))
#define REGION_WORDS (REGION_UNITS / 64)
#define SPACE_HEADER 1024
/* An eighth of what is used may stay free and dirty: the next requests need no fresh pages. */
#define SPACE_CUSHION_LG 3

struct region {
    struct region *next, *prev;           /* of all in the space */
    struct region *peer_next, *peer_prev; /* of those in the same bucket */
    uint16_t longest;                     /* longest run of free units: the bucket */
    uint16_t free;                        /* free units */
    bool guarded;                         /* a guard lies behind it */
    uint16_t idle;                        /* ticks that found all free and clean */
    uint16_t refused;                     /* free units that the kernel would not take back */
    uint64_t used[REGION_WORDS], dirty[REGION_WORDS], old[REGION_WORDS];
};

_Static_assert(sizeof(struct region) <= SPACE_HEADER, "the layer's part begins behind it");

/* Regions are found by their longest run: bucket 0 below the first large class, bucket i + 1
 * from large class i on, the last from 256 units on. */
#define SPACE_BUCKETS (LARGE_CLASSES + 2)

struct space {
    struct lock lock;
    const enum hak_ace_layer layer;
    const uint64_t *const limit; /* of used, 0: none */
    const int kind;              /* in the page map */
    const unsigned reserved;     /* units at a region's beginning that are never given out */
    struct region *all;
    struct region *bucket[SPACE_BUCKETS];
    uint32_t filled;     /* bit i: bucket[i] is not empty */
    uint32_t whole;      /* regions all free */
    uint32_t dirty_free; /* units */
    uint32_t refused;    /* of those, at the last try */
    uint32_t refuse;     /* maps to refuse unasked, with refuse_errno */
    int refuse_errno;
    uint64_t used, peak; /* bytes the layer has given out */
    uint64_t blocks;     /* as many blocks */
    uint64_t mapped;
};

/* A region that was mapped, for the report after the lock is given back. */
struct space_news {
    void *region;
    uint64_t mapped, ns;
    bool unasked; /* none was: refused as the last time */
};

static inline struct region *region_of(const void *p)
{
    return (struct region *)((uintptr_t)p & -(uintptr_t)REGION_SIZE);
}

static inline unsigned unit_of(const void *p)
{
    return (unsigned)(((uintptr_t)p & (REGION_SIZE - 1)) >> UNIT_LG);
}

/* n units at a multiple of step units, or NULL if no region has them. *clean: known to be zero. */
void *space_take(struct space *sp, unsigned n, unsigned step, bool *clean);

/* Maps one more region; false with errno. */
bool space_grow(struct space *sp, struct space_news *news);
void space_tell(const struct space *sp, const struct space_news *news);

void space_give(struct space *sp, void *p, unsigned n);

/* Makes the run of n units at p, which was given out, more units longer, if they are free. */
bool space_extend(struct space *sp, void *p, unsigned n, unsigned more);

/* May so many more bytes be given out? */
static inline bool space_has_room(const struct space *sp, size_t more)
{
    return !*sp->limit || sp->used + more <= *sp->limit;
}

/* Counts n blocks of stride bytes given out. */
void space_count(struct space *sp, size_t stride, unsigned n);
void space_uncount(struct space *sp, size_t stride, unsigned n);

/* In a lost child, where somebody was in the middle of changing it: sp has no regions any more; and
 * has r again, whose map of used units is right. */
void space_begin_anew(struct space *sp);
void space_take_over(struct space *sp, struct region *r);

/* Gives memory back: what has been free for two calls, as far as it is more than an eighth of
 * what is used; with all, everything that is free. Returns the bytes purged or unmapped. */
size_t space_tend(struct space *sp, bool all);

#ifdef HAK_DEBUG
/* Ends the process unless what is said of r, and of sp as a whole, is so; the lock is held. */
void region_check(const struct space *sp, const struct region *r);
void space_check(const struct space *sp);
#endif

/* Would space_tend() in time give something back? */
bool space_has_idle(struct space *sp);

#endif
