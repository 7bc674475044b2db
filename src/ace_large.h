/*
 * The large layer: blocks of 40 KiB to 1 MiB, each a run of units. A mark in the region's first
 * unit says where a block starts, of which class, and whether it is the user's. Nothing is ever
 * written into a block.
 */
#ifndef HAKMEM_ACE_LARGE_H
#define HAKMEM_ACE_LARGE_H

#include "ace_layer.h"
#include "ace_space.h"

extern HIDDEN struct space large_space;

/* A block of class cls, not yet live, at a multiple of align, a power of two up to LARGE_MAX. */
struct ace_answer large_take(unsigned cls, size_t align);

/* Gives a block back that is not live. */
void large_give(void *p);

/* Makes the live block p of class from one of class to, in place; false if it cannot grow. */
bool large_resize(void *p, unsigned from, unsigned to);

/* As the mid layer's. */
void large_enliven(void *p, unsigned cls);
int large_unliven(void *p);
int large_live_class(const void *p);
void large_sort_anew(void);
void large_after_fork(void);

#endif
