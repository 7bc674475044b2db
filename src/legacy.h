/*
 * The legacy backend: where a request goes that the shared pool refused. Per-class SuperSlabs
 * of its own, outside the pool and outside every soft cap, then the system's malloc. One lock;
 * blocks that come back reach its slabs through their remote queues, without the lock.
 */
#ifndef HAKMEM_LEGACY_H
#define HAKMEM_LEGACY_H

#include "owner.h"

void legacy_init(void);

/* A block of class cls for a request of size bytes, from a legacy SuperSlab or, if none can be
 * mapped, from the system's malloc; NULL with ENOMEM. Reports legacy_alloc. */
void *legacy_alloc(unsigned cls, size_t size, enum hak_legacy_why why);

/* size bytes from the system's malloc; cls: the class that should have served it, or
 * CLASS_NONE. NULL with ENOMEM. Reports legacy_alloc. */
void *legacy_system(unsigned cls, size_t size, enum hak_legacy_why why);

/* The same, zeroed; and at a multiple of align. */
void *legacy_system_zeroed(size_t count, size_t size, enum hak_legacy_why why);
void *legacy_system_aligned(size_t align, size_t size);

void legacy_lock_for_fork(void);
void legacy_unlock_after_fork(bool child);

#endif
