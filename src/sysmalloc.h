/*
 * The system's malloc, found behind us in the search order: for sizes and alignments that no
 * class serves, for the few moments when no slab may be touched, and for pointers that are not
 * ours. Resolved once, on first use.
 */
#ifndef HAKMEM_SYSMALLOC_H
#define HAKMEM_SYSMALLOC_H

#include "base.h"

void *sys_malloc(size_t size);
void *sys_calloc(size_t count, size_t size);
void *sys_realloc(void *ptr, size_t size);
void *sys_memalign(size_t align, size_t size);
void sys_free(void *ptr);
size_t sys_usable_size(void *ptr);

#endif
