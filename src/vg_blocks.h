/*
 * The program's blocks under memcheck: which addresses it was given and how long each block is;
 * those that it has freed and that wait (the quarantine), so that memcheck can tell who uses them
 * still; and some of each class that have waited long enough and are spare. Kept away from the
 * blocks, where no stray write reaches them; no address is there as it is, so that the leak search
 * does not find it.
 *
 * Valgrind runs all of it on the real CPU, where it costs a request, and not fifty times itself.
 * Other threads stand still meanwhile: no lock, and whole in a forked child.
 */
#ifndef HAKMEM_VG_BLOCKS_H
#define HAKMEM_VG_BLOCKS_H

#include "geometry.h"

/* Bytes on both sides of a block. Memcheck describes an address up to 24 bytes away from a block as
 * near it, so that twice as many keep neighbours apart. They, and all that nobody has, are never
 * accessible but in our sections: memcheck need not be told of them with each block. */
#define VG_RED_ZONE ((size_t)32)

/* A block's extent: its size, the bytes between the start of the allocator's block and the
 * program's (a power of two), and the class of the allocator's. 0: no block. */
typedef uint64_t vg_extent;

static inline vg_extent vg_extent_make(size_t size, size_t lead, unsigned cls)
{
    return (uint64_t)size << 16 | cls << 8 | (unsigned)__builtin_ctzl(lead) | 0x80;
}

static inline size_t vg_extent_size(vg_extent e)
{
    return e >> 16;
}

static inline size_t vg_extent_lead(vg_extent e)
{
    return (size_t)1 << (e & 0x7f);
}

static inline unsigned vg_extent_cls(vg_extent e)
{
    return e >> 8 & 0x7f;
}

struct sll;

/* The program has got the block at p. false: no memory for the entry. */
bool vg_blocks_add(const void *p, vg_extent e);

/* The block that starts at p, if one does. */
vg_extent vg_blocks_find(const void *p);

/* The program gives back the block that starts at p, if one does: from now on it waits. Those that
 * have waited long enough become spare; with VG_OTHERS_GO in the extent some go home instead. */
#define VG_OTHERS_GO 0x8000u
vg_extent vg_blocks_retire(const void *p);

/* The start of an allocator's block that goes home to its slab; NULL: no more. */
void *vg_blocks_waited(void);

/* A spare block for a request of size bytes, any size, with VG_RED_ZONE on both sides, added; NULL
 * if there is none, or a tracer, which is to see every block come and go. *known is size, defined
 * also where the program's is not: who looks at that once more would report it once more. */
void *vg_blocks_reuse(size_t size, size_t *known);

/* Makes start, an allocator's block of class cls, a spare one; false if there are enough. */
bool vg_blocks_spare(const void *start, unsigned cls);

/* Makes blocks of the calling thread's list s, of class cls, spare until there are so many, at most
 * 256; false if the list ends before, or the next block is not as it should be. */
bool vg_blocks_stock(struct sll *s, unsigned cls, uint32_t wanted);

#endif
