/*
 * The allocator's locks: one word each, taken by an exchange and waited for in the kernel. Not the
 * C library's: those are functions that others preload, with allocations of their own inside, and
 * that sanitizers, helgrind and DRD take for the program's own order. No recursion. A thread that
 * forked gives in the child what it took in the parent.
 */
#ifndef HAKMEM_LOCK_H
#define HAKMEM_LOCK_H

#include "base.h"

/* All zero: free. */
struct lock {
    _Atomic uint32_t word;
};

#define LOCK_FREE 0u
#define LOCK_TAKEN 1u
#define LOCK_AWAITED 2u /* taken, and somebody may sleep until it is given */

void lock_wait(struct lock *l);
void lock_wake(struct lock *l);

static inline bool lock_try(struct lock *l)
{
    uint32_t expected = LOCK_FREE;

    return atomic_compare_exchange_strong_explicit(&l->word, &expected, LOCK_TAKEN,
                                                   memory_order_acquire, memory_order_relaxed);
}

static inline void lock_take(struct lock *l)
{
    if (unlikely(!lock_try(l)))
        lock_wait(l);
}

/* Takes it within ns nanoseconds, or says false. */
bool lock_take_within(struct lock *l, uint64_t ns);

static inline void lock_give(struct lock *l)
{
    uint32_t was = atomic_exchange_explicit(&l->word, LOCK_FREE, memory_order_release);

    hak_assert(was != LOCK_FREE);
    if (unlikely(was == LOCK_AWAITED))
        lock_wake(l);
}

#endif
