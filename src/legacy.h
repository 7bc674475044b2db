/*
 * The legacy backend: where a request goes that the shared pool refused. Per-class SuperSlabs
 * of its own, outside the pool and outside every soft cap, then the system's malloc. One lock;
 * blocks that come back reach its slabs through their remote queues, without the lock.
 */
#ifndef HAKMEM_LEGACY_H
#define HAKMEM_LEGACY_H

#include "lost.h"
#include "owner.h"

void legacy_init(void);

/* A block of class cls for a request of size bytes at a multiple of align (0: any), from a legacy
 * SuperSlab or, if none can be mapped, from the system's malloc; NULL with ENOMEM. Reports
 * legacy_alloc. */
void *legacy_alloc(unsigned cls, size_t size, size_t align, enum hak_legacy_why why);

/* The same from the system's malloc; cls: the class that should have served it, or CLASS_NONE. */
void *legacy_system(unsigned cls, size_t size, size_t align, enum hak_legacy_why why);

/* count * size zeroed bytes, which no class serves. */
void *legacy_system_zeroed(size_t count, size_t size, enum hak_legacy_why why);

/* Calls each for every SuperSlab of the legacy backend; they are never unmapped. */
void legacy_each(void (*each)(struct superslab *ss, void *arg), void *arg);

void legacy_fork(enum fork_step step);

#endif
