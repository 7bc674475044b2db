/*
 * Memory pressure: RSS against the memory cgroup's limit, mapped bytes against RLIMIT_AS. The
 * kernel's out-of-memory killer leaves no last word to its victim, so the tick tells, with a state
 * dump, when HAKMEM_PRESSURE per cent are passed, and again at 95 and 99.
 */
#ifndef HAKMEM_PRESSURE_H
#define HAKMEM_PRESSURE_H

#include "base.h"

/* From the tick. */
void pressure_tick(uint64_t now_ns);

/* What is remembered of one limit: the level last told, 0 for none. */
struct pressure_memory {
    uint32_t level;
};

/* The level to tell now, in per cent, or 0: first is the lowest one. A level is told once, until
 * use has fallen two per cent below it. */
uint32_t pressure_level(struct pressure_memory *m, uint64_t used, uint64_t limit, uint32_t first);

#endif
