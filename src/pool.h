/*
 * The shared pool: where owners acquire slabs and release EMPTY ones. Stages 0.5, 1, 2, adopt
 * and rebind are lock-free; stage 3, which maps, runs under the pool's lock. A slab that a
 * function here returns belongs to the caller alone; one that is given to pool_release() or
 * pool_publish() must not be touched any more.
 *
 * Lock order: the pool lock is a leaf; nothing else is taken under it.
 */
#ifndef HAKMEM_POOL_H
#define HAKMEM_POOL_H

#include "owner.h"

/* Sets the soft caps of the knobs. Before the first acquire. */
void pool_init(void);

/* A slab of class cls for owner o, with at least one block to give; NULL if every stage
 * refused (shared_fail has been reported then). size: the request, for the report of a failed
 * map. Full slabs adopted on the way go to o's full list. */
struct slab *pool_acquire(struct owner *o, unsigned cls, size_t size);

/* Takes an ACTIVE slab with used == 0, whose owner is o and whose remote queue is idle. */
void pool_release(struct owner *o, struct slab *s);

/* Takes a slab of an owner that goes away, its remote queue flagged REMOTE_UNOWNED. */
void pool_publish(struct slab *s);

/* A slab with nothing live that HAKMEM_SS_EMPTY_RECYCLE=off forgets. */
void pool_forget(unsigned cls);

/* Returns the cap before. */
uint32_t pool_set_cap(unsigned cls, uint32_t cap);

/* active, peak, cap, listed, marked, unmarked of the class. */
void pool_class_stats(unsigned cls, struct hak_class_stats *out);

void pool_lock_for_fork(void);
void pool_unlock_after_fork(void);

#endif
