/*
 * The rules by which soft caps and SuperSlab sizes follow demand. Pure functions over counts;
 * no clock, no lock, no state but what the caller passes. The pool asks them when a class grows,
 * the tick when time has passed.
 */
#ifndef HAKMEM_LEARN_H
#define HAKMEM_LEARN_H

#include "geometry.h"

/* The least cap a class learns, and the one it starts with: 1 MiB. */
#define LEARN_CAP_MIN 16u

/* Ticks in a window: about 1.2 s. */
#define LEARN_WINDOW 8u

/* The cap of a class that has reached it and wants one slab more: half as much again. */
uint32_t learn_cap_raised(uint32_t cap);

/* What is remembered of a class's demand from window to window. */
struct cap_memory {
    uint32_t quiet; /* windows in a row in which demand stayed below half of the cap */
    uint32_t peak;  /* the most demand in them */
};

/* The cap after a window in which at most peak slabs were ACTIVE, active of them now. Falls only
 * after four quiet windows, to half above their peak; never below active. */
uint32_t learn_cap_after(struct cap_memory *m, uint32_t cap, uint32_t peak, uint32_t active);

/* log2 of the size to map, for a class that has mapped maps SuperSlabs of its present size since
 * the last window ended: after three it takes the next size, if most of what there is
 * (occupancy: per cent of the slabs that are ACTIVE) is in use. */
unsigned learn_size_mapping(unsigned lg, uint32_t maps, uint32_t occupancy);

/* log2 of the size to map after a window; *quiet counts windows without a map in which
 * occupancy was low. Falls one step after eight of them. */
unsigned learn_size_after(uint32_t *quiet, unsigned lg, uint32_t maps, uint32_t occupancy);

#endif
