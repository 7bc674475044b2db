/*
 * The shared pool: where owners acquire slabs and release EMPTY ones. Stages 0.5, 1, 2, adopt
 * and rebind are lock-free; stage 3, which maps, takes a lock (unbound.h). A slab that a
 * function here returns belongs to the caller alone; one that is given to pool_release() or
 * pool_publish() must not be touched any more.
 */
#ifndef HAKMEM_POOL_H
#define HAKMEM_POOL_H

#include "lost.h"
#include "owner.h"

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

/* active, peak, cap, listed, marked, unmarked of the class. */
void pool_class_stats(unsigned cls, struct hak_class_stats *out);

/* Between the two, o's thread may read SuperSlabs that it finds in the registry. */
void pool_enter(struct owner *o);
void pool_leave(struct owner *o);
/* In a forked child, where the thread of o is not: it does not look any more. */
void pool_left(struct owner *o);

/* For the reclaimer. EMPTY slabs of a class now. */
uint32_t pool_empty(unsigned cls);

/* Takes slab number no of ss out of the pool's reach if it is EMPTY; *was for pool_unpark(),
 * which gives it back as it was. */
bool pool_park(struct superslab *ss, unsigned no, uint32_t *was);
void pool_unpark(struct superslab *ss, unsigned no, uint32_t was);

/* ss, all of whose slabs the caller has: nobody finds it any more. It may be unmapped when no
 * owner is looking that began at or before the epoch returned. */
uint64_t pool_retire(struct superslab *ss);

/* For the tick: has o look after the slabs of ended threads. */
void pool_look_after_published(struct owner *o);

/* In a forked child: slab number no of ss, of which nothing is live and which nobody has any more,
 * is EMPTY, as if never carved. */
void pool_take_back(struct superslab *ss, unsigned no);

void pool_fork(enum fork_step step);

#endif
