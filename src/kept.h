/*
 * What the kernel would not unmap: vm.max_map_count is reached, or a filter refuses. Such a range
 * stays counted as mapped, gives its pages back if it can, serves the maps that follow and is
 * tried again by the tick. It is described at its own beginning; the list is taken whole by an
 * exchange, so there is no lock, and who finds it taken finds nothing.
 *
 * os.c alone puts and takes.
 */
#ifndef HAKMEM_KEPT_H
#define HAKMEM_KEPT_H

#include "base.h"

/* size bytes, whole pages, at p, that nobody uses. */
void kept_put(void *p, size_t size);

/* size bytes of zeros, whole pages, at a multiple of align; NULL if no range has them. */
void *kept_take(size_t size, size_t align);

/* Tries to unmap all of them; returns how many bytes went. */
size_t kept_retry(void);

/* Bytes mapped that nobody uses and the kernel did not take back. */
uint64_t kept_bytes(void);

#endif
