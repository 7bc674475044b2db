/*
 * Out of memory: what happens when every layer has refused a request. The event, a state dump for
 * those who record, and a compact report on stderr for those who do not. Allocates nothing.
 */
#ifndef HAKMEM_OOM_H
#define HAKMEM_OOM_H

#include "base.h"

/* A request of size bytes at a multiple of align (0: any) failed with errno err. Leaves errno
 * alone. The caller holds no lock. */
void oom(size_t size, size_t align, int err);

#endif
