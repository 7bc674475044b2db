/*
 * Demand: how many slabs of each class are ACTIVE, how many may be (the soft cap), and how large
 * the SuperSlabs are that the class maps. Caps and sizes that no knob fixes follow demand by the
 * rules of learn.h. Atomics; no lock. demand_learn() is the tick's alone.
 */
#ifndef HAKMEM_DEMAND_H
#define HAKMEM_DEMAND_H

#include "trace.h"

/* The caps of the knobs, and the first ones of those that are learned. */
void demand_init(void);

/* Counts one more ACTIVE slab of cls, if the cap allows it: a learned one is raised for it. */
bool demand_grow(unsigned cls);

/* Counts one more that was there before: no cap refuses it. */
void demand_back(unsigned cls);

/* Counts one less. */
void demand_drop(unsigned cls);

/* In a forked child: so many are ACTIVE. */
void demand_count_anew(unsigned cls, uint32_t active);

uint32_t demand_active(unsigned cls);
uint32_t demand_peak(unsigned cls);
uint32_t demand_cap(unsigned cls); /* 0: none */

bool demand_frozen(unsigned cls);

/* log2 of the size that cls maps next, as learned. */
unsigned demand_lg(unsigned cls);

/* Freezes the cap of cls; returns the one before. */
uint32_t demand_set_cap(unsigned cls, uint32_t cap);

/* log2 of the size of the SuperSlab that cls maps now. */
unsigned demand_size(unsigned cls);

/* The OS gave 2^to bytes where demand_size() had said 2^from. */
void demand_size_refused(unsigned cls, unsigned from, unsigned to);

/* The pool has so many slabs more. */
void demand_mapped(int32_t slabs);

/* At the end of each learning window. */
void demand_learn(void);

#endif
