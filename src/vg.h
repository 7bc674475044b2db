/*
 * What Valgrind is told. Under memcheck, helgrind or DRD the program's requests take a path of
 * their own (vg_heap.h); this box finds out once, at the first request, and owns the words that
 * the rest of the allocator needs: where memory comes from, and the sections in which the
 * allocator reads and writes what no program may. Under Valgrind's other tools, and without it,
 * everything is as ever.
 *
 * vg_tool is constant once the process is initialised, so read without a lock. All of it is gone
 * where HAK_VALGRIND is 0.
 */
#ifndef HAKMEM_VG_H
#define HAKMEM_VG_H

#include "lost.h"

/* UNASKED is not NONE, so that a slow path needs one comparison to be right from the start. */
enum vg_tool { VG_NONE, VG_UNASKED, VG_MEMCHECK, VG_HELGRIND, VG_DRD };

#if HAK_VALGRIND
extern HIDDEN enum vg_tool vg_tool;

static inline bool vg_on(void)
{
    return unlikely(vg_tool != VG_NONE);
}

/* With the process's initialisation. */
void vg_init(void);

/* Between these two the calling thread may touch blocks that nobody has, their red zones and
 * SuperSlab headers: Valgrind reports nothing of it. Sections nest. */
void vg_enter(void);
void vg_leave(void);

/* For helgrind and DRD: the size bytes at p belong to the program, whose threads must take turns
 * there, or to nobody. What one user's threads did there is no race with the next one's. */
void vg_track(const void *p, size_t size);
void vg_untrack(const void *p, size_t size);

/* Does memory for blocks come from vg_map()? The leak search takes what was mapped for a place
 * where pointers count, so that no block is leaked which another, leaked one, points to. Only what
 * Valgrind itself gave to a malloc is looked at block by block. */
static inline bool vg_maps(void)
{
    return vg_tool == VG_MEMCHECK;
}

/* As os_map_aligned(); nothing of it may be touched outside of sections until it is announced as
 * somebody's block. */
void *vg_map(size_t size, size_t align);

void vg_fork(enum fork_step step);

/* Gives p back; false if it is not from vg_map(). */
bool vg_unmap(void *p);

#else

static inline bool vg_on(void)
{
    return false;
}

static inline void vg_init(void)
{
}

static inline void vg_enter(void)
{
}

static inline void vg_leave(void)
{
}

static inline bool vg_maps(void)
{
    return false;
}

static inline void *vg_map(size_t size, size_t align)
{
    (void)size, (void)align;
    return NULL;
}

static inline bool vg_unmap(void *p)
{
    (void)p;
    return false;
}

static inline void vg_fork(enum fork_step step)
{
    (void)step;
}
#endif

#endif
