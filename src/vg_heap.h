/*
 * malloc and its relatives under memcheck, called by api.c in place of its own paths. Blocks of up
 * to HAKMEM_MEMCHECK_SLABS bytes come from the slabs as ever, with a red zone on both sides, and
 * wait in quarantine when they are freed. What is larger, what no slab could serve, and every
 * pointer that is no block of ours, goes to libc's malloc, in whose place Valgrind answers: there
 * large blocks cost what they cost without us, and may be what the program's own allocator cuts
 * blocks from and announces them.
 *
 * Each announces its blocks itself and bears, for Valgrind, its standard name: it is the frame
 * that people read in reports. So nothing of this is inlined, api.c ends in a jump to it, and it
 * ends in a jump to libc's.
 */
#ifndef HAKMEM_VG_HEAP_H
#define HAKMEM_VG_HEAP_H

#include "base.h"

#if HAK_VALGRIND
void *vg_malloc(size_t size);
void vg_free(void *p);
void *vg_calloc(size_t count, size_t size);
void *vg_realloc(void *p, size_t size);
int vg_posix_memalign(void **out, size_t align, size_t size);
void *vg_aligned_alloc(size_t align, size_t size);
void *vg_memalign(size_t align, size_t size);
void *vg_valloc(size_t size);
void *vg_pvalloc(size_t size);
size_t vg_malloc_usable_size(void *p);
/* vg_on(): return what the function's namesake here returns. */
#define VG_INSTEAD(name, ...) \
    if (vg_on())              \
    return vg_##name(__VA_ARGS__)
#else
#define VG_INSTEAD(name, ...) (void)0
#endif

#endif
