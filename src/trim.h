/*
 * Giving back whatever is idle anywhere, at once: when the OS refuses memory, and when the program
 * asks for it.
 */
#ifndef HAKMEM_TRIM_H
#define HAKMEM_TRIM_H

#include "base.h"

/* True if anything was given back. The caller holds no lock, and is not looking for a slab
 * (pool_enter). Leaves errno alone. */
bool trim_all(void);

#endif
