/*
 * Size classes and the arithmetic of slabs: strides, capacities, request -> class, offset ->
 * block. Constant tables but for the request table, which geometry_init() fills once before
 * any block is handed out; read without a lock afterwards.
 */
#ifndef HAKMEM_GEOMETRY_H
#define HAKMEM_GEOMETRY_H

#include "base.h"

#define CLASSES 16
#define PHASE9_CLASSES 8
#define TINY_MAX 2048
#define SLAB_LG 16
#define SLAB_SIZE (1u << SLAB_LG)
#define SS_LG_MIN 19
#define SS_LG_MAX 21
#define SS_MAX_SLABS (1u << (SS_LG_MAX - SLAB_LG))
#define SS_HEADER 2048u

struct class_geometry {
    uint32_t stride;
    /* ceil(2^32 / stride): off * magic has the block's index in its upper 32 bits, and its
     * lower 32 bits are below magic exactly when stride divides off (Lemire, Kaser, Kurz,
     * "Faster remainder by direct computation", 2019; exact for 16-bit off). */
    uint32_t magic;
};

extern HIDDEN const struct class_geometry geometry[CLASSES];
/* 16 times the class of a request of n bytes, at [(n + 7) / 8], for n <= TINY_MAX: one addressing
 * mode away from an entry of 32, 64 or 128 bytes a class. */
extern HIDDEN uint8_t geometry_class_16[TINY_MAX / 8 + 1];

/* classes: 8 or 16 (HAKMEM_TINY_CLASSES). */
void geometry_init(unsigned classes);

/* The class with the smallest stride that holds size bytes at a multiple of align, a power of
 * two; -1 if no class does. */
int geometry_class_aligned(size_t size, size_t align);

static inline unsigned class_of_16(size_t size)
{
    return geometry_class_16[(size + 7) >> 3];
}

static inline unsigned class_of(size_t size)
{
    return class_of_16(size) / 16;
}

/* May blocks of class cls share a cache line with their neighbours? */
static inline bool class_shares_lines(unsigned cls)
{
    return geometry[cls].stride % CACHE_LINE != 0;
}

/* Bytes of slab number slab that lie before its first block. */
static inline uint32_t slab_reserved(unsigned slab)
{
    return slab == 0 ? SS_HEADER : 0;
}

/* Blocks of class cls in slab number slab: usable bytes / stride. */
static inline uint32_t slab_capacity(unsigned cls, unsigned slab)
{
    return (SLAB_SIZE - slab_reserved(slab)) / geometry[cls].stride;
}

/* The same index by magic, the class's: a number below 2^16 if a block starts off bytes behind the
 * slab's first, and above if none does; for any off of less than 33 bits, also below zero. A
 * multiple of the stride leaves less than 2^16 in the product's lower half (stride - 2^32 mod
 * stride a block), all else at least magic; so those bits, rotated to the top, let one comparison
 * see both. */
static inline uint64_t block_number(uint64_t off, uint64_t magic)
{
    uint64_t product = off * magic >> 16;

    return product >> 16 | product << 48;
}

/* Index of the block that starts off bytes behind the slab's first block, or UINT32_MAX if no
 * block starts there. Any off, also one that wrapped below zero. */
static inline uint32_t block_index(unsigned cls, uint32_t off)
{
    uint64_t product = (uint64_t)off * geometry[cls].magic;

    return (uint32_t)product < geometry[cls].magic ? (uint32_t)(product >> 32) : UINT32_MAX;
}

#endif
