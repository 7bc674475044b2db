/*
 * Pointers that are not ours: blocks of another allocator, which its own free() must get, or
 * addresses that no allocator returned, which would end the program there. What was learnt from
 * the kernel about the system's heaps is kept: atomics, read and written by anyone without a lock.
 *
 * In doubt a pointer is the other allocator's: a mistake then costs a report, never a block.
 */
#ifndef HAKMEM_FOREIGN_H
#define HAKMEM_FOREIGN_H

#include "trace.h"

/* The system's malloc keeps small blocks in few large ranges: one that grows from the end of the
 * program's data, and for threads heaps of their own, each in a region of 64 MiB. So one range is
 * kept for each region, at the entry that the region's number selects.
 *
 * A range outlives its mapping, and one that is being replaced may be read as half of each. A
 * stack or library in its place is then believed to be a heap, and what is freed of it goes to the
 * system's free(), as without us. */
#define FOREIGN_REGION_LG 26
#define FOREIGN_REGIONS 512u

struct foreign_heap {
    _Atomic uintptr_t from, to;
};

extern HIDDEN struct foreign_heap foreign_heap[FOREIGN_REGIONS];

static inline struct foreign_heap *foreign_heap_of(uintptr_t at)
{
    return &foreign_heap[(at >> FOREIGN_REGION_LG) % FOREIGN_REGIONS];
}

/* Is p known to lie in a heap of the system's? */
static inline bool foreign_is_known(const void *p)
{
    uintptr_t at = (uintptr_t)p;
    struct foreign_heap *h = foreign_heap_of(at);

    return at >= atomic_load_explicit(&h->from, memory_order_relaxed) &&
           at < atomic_load_explicit(&h->to, memory_order_relaxed);
}

/* The same, asking the kernel. */
bool foreign_look(const void *p, enum hak_invalid_why *why);

/* May p, neither NULL nor in memory of ours, be a block of another allocator? If not, *why tells
 * what it is. Allocates nothing, leaves errno alone, is no cancellation point. */
static inline bool foreign_may_be_block(const void *p, enum hak_invalid_why *why)
{
    return likely(foreign_is_known(p)) || foreign_look(p, why);
}

#endif
