/*
 * Address -> SuperSlab: one byte for each 512 KiB granule, log2 of the SuperSlab that covers it
 * or 0. A root in .bss points to leaves of 16 KiB (8 GiB of addresses each) that are mapped on
 * demand and never unmapped, so it can be read without a lock for any pointer at any time.
 * superslab.c writes, everyone reads.
 */
#ifndef HAKMEM_PAGEMAP_H
#define HAKMEM_PAGEMAP_H

#include "base.h"
#include "geometry.h"

#define PAGEMAP_GRANULE_LG SS_LG_MIN
#define PAGEMAP_LEAF_LG 14
#define PAGEMAP_ADDRESS_BITS 48
#define PAGEMAP_ROOTS (1u << (PAGEMAP_ADDRESS_BITS - PAGEMAP_GRANULE_LG - PAGEMAP_LEAF_LG))

typedef _Atomic uint8_t pagemap_leaf[1u << PAGEMAP_LEAF_LG];

extern HIDDEN _Atomic(pagemap_leaf *) pagemap_root[PAGEMAP_ROOTS];

/* log2 of the size of the SuperSlab that p lies in; 0: p is not ours, or its root entry is not
 * below roots. */
static inline unsigned pagemap_lookup_below(const void *p, uintptr_t roots)
{
    uintptr_t granule = (uintptr_t)p >> PAGEMAP_GRANULE_LG;
    uintptr_t root = granule >> PAGEMAP_LEAF_LG;
    pagemap_leaf *leaf;

    if (unlikely(root >= roots))
        return 0;
    /* Consume is enough and is what the hardware gives: the leaf's bytes are reached through
     * the pointer. A block's own happens-before makes its SuperSlab's byte visible. */
    leaf = atomic_load_explicit(&pagemap_root[root], memory_order_relaxed);
    if (unlikely(!leaf))
        return 0;
    return atomic_load_explicit(&(*leaf)[granule & ((1u << PAGEMAP_LEAF_LG) - 1)],
                                memory_order_relaxed);
}

static inline unsigned pagemap_lookup(const void *p)
{
    return pagemap_lookup_below(p, PAGEMAP_ROOTS);
}

/* Enters (lg > 0) or removes (lg == 0) the size bytes at base, a multiple of the granule.
 * false with errno if a leaf cannot be mapped; nothing is entered then. */
bool pagemap_set(const void *base, size_t size, unsigned lg);

#endif
