/*
 * The tick: what the allocator does as time passes, whoever calls it or nobody does. Every 150 ms
 * (HAKMEM_TICK) a helper thread learns caps and sizes, looks after the slabs of ended threads
 * and gives idle memory back. The thread is made on a slow path once there is something to do
 * in a process of some size, and sleeps without waking while there is nothing.
 */
#ifndef HAKMEM_TICK_H
#define HAKMEM_TICK_H

#include "base.h"

extern HIDDEN _Atomic bool tick_wanted;

/* From the constructor: from now on there may be a helper. */
void tick_allow(void);

/* Wakes or makes the helper; from process_poke(), never from free(). */
void tick_begin(void);

/* More is mapped. Where that is much, a helper will be needed once it is free, and free() makes
 * none. */
void tick_grown(void);

/* Wakes the helper if it sleeps. */
void tick_wake(void);

/* Between the two there is no tick. A forked child has no helper. */
void tick_lock_for_fork(void);
void tick_unlock_after_fork(bool child);

/* There is, or may soon be, something to do. Anywhere, also in the middle of a transition. */
static inline void tick_want(void)
{
    if (!atomic_load_explicit(&tick_wanted, memory_order_relaxed))
        atomic_store_explicit(&tick_wanted, true, memory_order_relaxed);
}

#endif
