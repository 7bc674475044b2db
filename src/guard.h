/*
 * Guards: a page behind a SuperSlab or a region that nobody may touch, so that a write past its end
 * meets it, and not the records of what happens to lie behind. Each makes two mappings out of
 * one, of which a process has a limited number (vm.max_map_count): there are as many as
 * HAKMEM_GUARDS says at a time, and what is mapped beyond has none.
 *
 * Whoever maps and unmaps a range calls; counts atomically, no lock.
 */
#ifndef HAKMEM_GUARD_H
#define HAKMEM_GUARD_H

#include "base.h"

/* As os_map_aligned(), with a guard behind if there may be one more; *guarded for guard_unmap(). */
void *guard_map(size_t size, size_t align, bool *guarded);

/* As os_unmap(), of the range and its guard. */
bool guard_unmap(void *p, size_t size, bool guarded);

#endif
