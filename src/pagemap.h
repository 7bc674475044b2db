/*
 * Address -> what of ours lies there: one byte for each 512 KiB granule, log2 of the SuperSlab
 * that covers it, a negative kind of ACE's, or 0. And address -> slab: for each 64 KiB what free()
 * must know of the slab there, so that it need not find the SuperSlab first. A root in .bss points
 * to leaves (8 GiB of addresses each) that are mapped on demand and never unmapped, so it can be
 * read without a lock for any pointer at any time; pages of a leaf that nothing is entered in are
 * never touched. A leaf has a word a granule as well, which belongs to the huge block that begins
 * there. superslab.c, ace_space.c and ace_huge.c write, everyone reads.
 */
#ifndef HAKMEM_PAGEMAP_H
#define HAKMEM_PAGEMAP_H

#include "base.h"
#include "geometry.h"

#define PAGEMAP_GRANULE_LG SS_LG_MIN
#define PAGEMAP_GRANULE ((size_t)1 << PAGEMAP_GRANULE_LG)
#define PAGEMAP_LEAF_LG 14
#define PAGEMAP_ADDRESS_BITS 48
#define PAGEMAP_ROOTS (1u << (PAGEMAP_ADDRESS_BITS - PAGEMAP_GRANULE_LG - PAGEMAP_LEAF_LG))

/* Below 0, so that free() tells a SuperSlab from all else by one test. */
enum pagemap_kind {
    PAGEMAP_NONE = 0,
    PAGEMAP_MID = -1,
    PAGEMAP_LARGE = -2,
    PAGEMAP_HUGE = -3,
    PAGEMAP_HUGE_TAIL = -4, /* a granule of a huge block but its first */
};

#define PAGEMAP_LEAF_SLABS (1u << (PAGEMAP_LEAF_LG + PAGEMAP_GRANULE_LG - SLAB_LG))

struct pagemap_leaf {
    /* Each slab's info word (superslab.h); 0 where there is none. */
    _Atomic uint32_t info[PAGEMAP_LEAF_SLABS];
    /* Where in its slab the first block begins, and in the upper half whose blocks they are
     * (superslab.h). */
    _Atomic uint32_t origin[PAGEMAP_LEAF_SLABS];
    _Atomic int8_t kind[1u << PAGEMAP_LEAF_LG];
    _Atomic uint64_t word[1u << PAGEMAP_LEAF_LG];
};

extern HIDDEN _Atomic(struct pagemap_leaf *) pagemap_root[PAGEMAP_ROOTS];

/* The leaf for p, NULL if there is none, or its root entry is not below roots. */
static inline struct pagemap_leaf *pagemap_leaf_below(const void *p, uintptr_t roots)
{
    uintptr_t root = (uintptr_t)p >> (PAGEMAP_GRANULE_LG + PAGEMAP_LEAF_LG);

    if (unlikely(root >= roots))
        return NULL;
    /* A block's own happens-before makes the entries of its slab visible. */
    return atomic_load_explicit(&pagemap_root[root], memory_order_acquire);
}

/* The index of p's slab in p's leaf. */
static inline uintptr_t pagemap_slab(const void *p)
{
    return (uintptr_t)p >> SLAB_LG & (PAGEMAP_LEAF_SLABS - 1);
}

/* What covers p: above 0 log2 of the size of a SuperSlab, else a pagemap_kind; PAGEMAP_NONE if
 * p is not ours. */
static inline int pagemap_lookup(const void *p)
{
    struct pagemap_leaf *leaf = pagemap_leaf_below(p, PAGEMAP_ROOTS);
    uintptr_t granule = (uintptr_t)p >> PAGEMAP_GRANULE_LG;

    if (unlikely(!leaf))
        return PAGEMAP_NONE;
    return atomic_load_explicit(&leaf->kind[granule & ((1u << PAGEMAP_LEAF_LG) - 1)],
                                memory_order_relaxed);
}

/* Enters the granules that the size bytes at base touch, base a multiple of the granule, or
 * removes them (PAGEMAP_NONE). false with errno if a leaf cannot be mapped; nothing is entered
 * then. */
bool pagemap_set(const void *base, size_t size, int kind);

/* Calls each for every multiple of size, a power of two, that is entered as kind: in a forked
 * child, where lists of them cannot be trusted. */
void pagemap_each(int kind, size_t size, void (*each)(void *base, void *arg), void *arg);

/* Calls each for every granule that is entered, while others enter and leave. */
void pagemap_each_granule(void (*each)(void *base, int kind, void *arg), void *arg);

/* Calls each for the root and every leaf. */
void pagemap_tables(table_each *each, void *arg);

/* The word of p's granule, which has been entered before. */
_Atomic uint64_t *pagemap_word(const void *p);

#endif
