/*
 * What memcheck is told. Under it, where Valgrind has left our malloc in place, the program's
 * requests take a path of their own (vg_heap.h); this box finds out once, at the first request, and
 * owns the words that the rest of the allocator needs: the sections in which the allocator reads
 * and writes what no program may, and the memory that blocks lie in. Under Valgrind's other tools,
 * and without it, everything is as ever.
 *
 * vg_tool is constant once the process is initialised, so read without a lock. All of it is gone
 * where HAK_VALGRIND is 0.
 */
#ifndef HAKMEM_VG_H
#define HAKMEM_VG_H

#include "base.h"

/* UNASKED is not NONE, so that a slow path needs one comparison to be right from the start. */
enum vg_tool { VG_NONE, VG_UNASKED, VG_MEMCHECK };

#if HAK_VALGRIND
extern HIDDEN enum vg_tool vg_tool;

static inline bool vg_on(void)
{
    return unlikely(vg_tool != VG_NONE);
}

/* With the process's initialisation. */
void vg_init(void);

/* Does no request of the program's come to us, since Valgrind answers them itself? Once the
 * process is initialised. */
bool vg_replaces_us(void);

/* Valgrind's malloc, as it itself calls it: with the number of a thread and a size. 0: none. */
extern HIDDEN uintptr_t vg_malloc_of_valgrind;

/* Between these two the calling thread may touch blocks that nobody has, their red zones and
 * SuperSlab headers: memcheck reports nothing of it. Sections nest. */
void vg_enter(void);
void vg_leave(void);

/* Makes the mapping of size bytes at p a place for blocks, if this is memcheck. Nothing of it may
 * be touched outside of sections until it is announced as somebody's block, and the leak search
 * looks into it block by block. false, with errno: it cannot be one. */
bool vg_hold_blocks(void *p, size_t size);

/* The size bytes at p are ours alone: touched on the real CPU only, or in sections. */
void vg_hide(const void *p, size_t size);

#else

static inline bool vg_on(void)
{
    return false;
}

static inline void vg_init(void)
{
}

static inline bool vg_replaces_us(void)
{
    return false;
}

static inline void vg_enter(void)
{
}

static inline void vg_leave(void)
{
}

static inline bool vg_hold_blocks(void *p, size_t size)
{
    (void)p, (void)size;
    return true;
}
#endif

#endif
