/*
 * The shared pool's never-bound slabs: which SuperSlabs have some, and one SuperSlab more where
 * none has. Owns the pool's lock, under which SuperSlabs are mapped and numbered; claiming takes no
 * lock. Between pool_enter() and pool_leave() anyone may claim; the reclaimer takes and gives.
 *
 * Lock order: the pool's lock is a leaf; nothing else is taken under it. The reclaimer's lock comes
 * before it.
 */
#ifndef HAKMEM_UNBOUND_H
#define HAKMEM_UNBOUND_H

#include "lost.h"
#include "superslab.h"

bool unbound_any(void);

/* A never-bound slab of any published SuperSlab, claimed, looking at the latest place first; NULL.
 * Adds to *scanned how many SuperSlabs were looked at. */
struct slab *unbound_claim(uint32_t *scanned);

/* What stage 3 gets. */
struct growth {
    struct slab *slab;        /* of a new SuperSlab, or one that somebody else's has unused */
    struct superslab *mapped; /* the new one */
    uint32_t scanned;
    int err;      /* errno where there is no slab */
    bool refused; /* by the OS, now */
};

/* One SuperSlab more, of 2^lg bytes or else of the smallest size, for class cls, unless another
 * thread has just mapped one for all. */
struct growth unbound_grow(unsigned cls, unsigned lg);

/* Takes all never-bound slabs of ss, a mask; gives them back. */
uint32_t unbound_take(struct superslab *ss);
void unbound_give(struct superslab *ss, uint32_t mask);

/* Unmaps ss, which pool_retire() has hidden and at which no owner looks; its number serves again.
 */
void unbound_unmap(struct superslab *ss);

/* In a forked child: none is counted, until each is given again. */
void unbound_count_anew(void);

void unbound_fork(enum fork_step step);

#endif
