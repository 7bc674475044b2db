/*
 * The tick: what the allocator does as time passes, whoever calls it or nobody does. Every 150 ms
 * (HAKMEM_TICK) a helper thread learns caps and sizes, looks after the slabs of ended threads
 * and gives idle memory back. The thread is made on a slow path once there is something to do
 * in a process of some size, and sleeps without waking while there is nothing.
 */
#ifndef HAKMEM_TICK_H
#define HAKMEM_TICK_H

#include "lost.h"

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

/* Until tick_go_on() there is no helper: the one there was has ended. False, and no tick_go_on() is
 * due, in a child that shares the memory of the process whose helper it is. Waits as long as a tick
 * lasts, and a second at most, should the helper wait for what the caller holds: a signal handler
 * may have interrupted a slow path. */
bool tick_stop(void);
void tick_go_on(void);

/* Its part in a fork: no tick between the steps, and no helper in the child. */
void tick_fork(enum fork_step step);

/* There is, or may soon be, something to do. Anywhere, also in the middle of a transition. */
static inline void tick_want(void)
{
    if (!atomic_load_explicit(&tick_wanted, memory_order_relaxed))
        atomic_store_explicit(&tick_wanted, true, memory_order_relaxed);
}

#endif
