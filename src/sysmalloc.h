/*
 * The system's malloc, found behind us in the search order: for sizes and alignments that no
 * class serves, for the few moments when no slab may be touched, and for pointers that are not
 * ours. Resolved once, on first use.
 */
#ifndef HAKMEM_SYSMALLOC_H
#define HAKMEM_SYSMALLOC_H

#include "base.h"

/* While the process has one thread: glibc sets its malloc up at the first call of it, without a
 * lock, since pthread_create makes such a call. Ours never would. */
void sys_begin(void);

/* Resolves it, which may allocate a little. */
bool sys_ready(void);

void *sys_malloc(size_t size);
void *sys_calloc(size_t count, size_t size);
void *sys_realloc(void *ptr, size_t size);
void *sys_memalign(size_t align, size_t size);
void sys_free(void *ptr);
size_t sys_usable_size(void *ptr);

#endif
