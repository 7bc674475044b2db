/*
 * Giving memory back. EMPTY slabs that stay EMPTY are purged (their pages go back, they stay
 * bound), SuperSlabs without anything live are unmapped later. Whoever gives memory back holds
 * this box's lock; slabs on their way are PARKED, so that no stage can claim them.
 *
 * A thread that looks for a slab may still read a SuperSlab that was just taken out of the
 * registry. So a retired SuperSlab is unmapped only when every owner that was looking then has
 * ended its look (pool_enter, pool_leave): epoch-based reclamation (Fraser, "Practical
 * lock-freedom", 2004, section 5.2.3) with the look as the critical section.
 */
#ifndef HAKMEM_RECLAIM_H
#define HAKMEM_RECLAIM_H

#include "lost.h"
#include "superslab.h"

/* From the tick, every half second or so: purges what was EMPTY at the last call and is still,
 * but for a cushion in each class, and unmaps what was idle for longer. */
void reclaim_aged(void);

/* Gives back all that is idle, at once. True if anything was. The caller must not be looking
 * (pool_enter); it waits a few milliseconds at most for those who are. */
bool reclaim_now(void);

/* Nothing is left that reclaim_aged() would give back sooner or later. */
bool reclaim_done(void);

/* Calls each for every SuperSlab of the pool; none is unmapped meanwhile. False, having called
 * nothing, if somebody gives memory back for longer than a few milliseconds. */
bool reclaim_each(void (*each)(struct superslab *ss, void *arg), void *arg);

/* Bytes of EMPTY slabs whose memory was given back, of those mapped now. */
uint64_t reclaim_purged_bytes(void);

void reclaim_fork(enum fork_step step);

#endif
