/*
 * Marks: a byte for each place where a mid or large block may start, beside the blocks, that says
 * which class of block does and whether the user has it. 0: none does. A mark outlasts its block
 * until the place is used for another, so that a late second free is known for what it is.
 * Whoever allocates or frees the block changes it, without a lock.
 */
#ifndef HAKMEM_ACE_MARK_H
#define HAKMEM_ACE_MARK_H

#include "base.h"

typedef _Atomic uint8_t ace_mark;

#define MARK_LIVE 1u

static inline uint8_t mark_free(unsigned cls)
{
    return (uint8_t)((cls + 1) << 1);
}

static inline unsigned mark_cls(uint8_t mark)
{
    return (mark >> 1) - 1u;
}

static inline uint8_t mark_get(ace_mark *m)
{
    return atomic_load_explicit(m, memory_order_relaxed);
}

static inline void mark_set(ace_mark *m, uint8_t mark)
{
    atomic_store_explicit(m, mark, memory_order_relaxed);
}

/* Takes the block from the user: its class; -1 if he does not have it, its mark then in *found. */
static inline int mark_unliven(ace_mark *m, uint8_t *found)
{
    uint8_t mark = mark_get(m);

    /* Only one of two threads that free the same block succeeds. */
    if (likely(mark & MARK_LIVE) &&
        likely(atomic_compare_exchange_strong_explicit(m, &mark, mark & (uint8_t)~MARK_LIVE,
                                                       memory_order_acq_rel, memory_order_relaxed)))
        return (int)mark_cls(mark);
    *found = mark;
    return -1;
}

static inline int mark_live_class(ace_mark *m)
{
    uint8_t mark = mark_get(m);

    return mark & MARK_LIVE ? (int)mark_cls(mark) : -1;
}

#endif
