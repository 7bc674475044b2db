/*
 * Address -> SuperSlab: one byte for each 512 KiB granule, log2 of the SuperSlab that covers it
 * or 0. And address -> slab: for each 64 KiB what free() must know of the slab there, so that it
 * need not find the SuperSlab first. A root in .bss points to leaves (8 GiB of addresses each)
 * that are mapped on demand and never unmapped, so it can be read without a lock for any pointer
 * at any time; pages of a leaf that nothing is entered in are never touched.
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

#define PAGEMAP_LEAF_SLABS (1u << (PAGEMAP_LEAF_LG + PAGEMAP_GRANULE_LG - SLAB_LG))

struct pagemap_leaf {
    /* Each slab's info word (superslab.h); 0 where there is none. */
    _Atomic uint32_t info[PAGEMAP_LEAF_SLABS];
    /* Where in its slab the first block begins. */
    _Atomic uint32_t origin[PAGEMAP_LEAF_SLABS];
    _Atomic uint8_t lg[1u << PAGEMAP_LEAF_LG];
};

extern HIDDEN _Atomic(struct pagemap_leaf *) pagemap_root[PAGEMAP_ROOTS];

/* The leaf for p, NULL if there is none, or its root entry is not below roots. */
static inline struct pagemap_leaf *pagemap_leaf_below(const void *p, uintptr_t roots)
{
    uintptr_t root = (uintptr_t)p >> (PAGEMAP_GRANULE_LG + PAGEMAP_LEAF_LG);

    if (unlikely(root >= roots))
        return NULL;
    /* Consume is enough and is what the hardware gives: what is in the leaf is reached through
     * the pointer. A block's own happens-before makes the entries of its slab visible. */
    return atomic_load_explicit(&pagemap_root[root], memory_order_relaxed);
}

/* The index of p's slab in p's leaf. */
static inline uintptr_t pagemap_slab(const void *p)
{
    return (uintptr_t)p >> SLAB_LG & (PAGEMAP_LEAF_SLABS - 1);
}

/* log2 of the size of the SuperSlab that p lies in; 0: p is not ours. */
static inline unsigned pagemap_lookup(const void *p)
{
    struct pagemap_leaf *leaf = pagemap_leaf_below(p, PAGEMAP_ROOTS);
    uintptr_t granule = (uintptr_t)p >> PAGEMAP_GRANULE_LG;

    if (unlikely(!leaf))
        return 0;
    return atomic_load_explicit(&leaf->lg[granule & ((1u << PAGEMAP_LEAF_LG) - 1)],
                                memory_order_relaxed);
}

/* Enters (lg > 0) or removes (lg == 0) the size bytes at base, a multiple of the granule.
 * false with errno if a leaf cannot be mapped; nothing is entered then. */
bool pagemap_set(const void *base, size_t size, unsigned lg);

#endif
