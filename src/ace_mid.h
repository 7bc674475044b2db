/*
 * The mid layer: blocks of 2,560 to 32,768 bytes, cut from chunks of 64 KiB that hold one class
 * each. Marks in the region's first chunk say where blocks start, of which class, and whether they
 * are the user's; which ones are in no thread's cache is a bit map a chunk, under the layer's
 * lock. Nothing is ever written into a block.
 */
#ifndef HAKMEM_ACE_MID_H
#define HAKMEM_ACE_MID_H

#include "ace_layer.h"
#include "ace_space.h"

extern HIDDEN struct space mid_space;

/* A block of class cls for a request of size bytes, not yet live, and up to more others of the
 * class, for the caller's cache, as far as there are some at hand: how many, in *more. */
struct ace_answer mid_take(unsigned cls, void **others, unsigned *more);

/* Gives n blocks back that are not live. */
void mid_give(void *const *blocks, unsigned n);

/* Hands p, taken before, to the user. */
void mid_enliven(void *p, unsigned cls);

/* Takes p from the user: its class, or -1 if it was not the start of a live block, which has been
 * reported then. */
int mid_unliven(void *p);

/* The class of p if it is a live block, else -1. */
int mid_live_class(const void *p);

/* space_tend(), and for the free blocks of chunks in use as well. */
size_t mid_tend(bool all);
bool mid_has_idle(void);
/* Bytes of such blocks. */
uint64_t mid_unpurged(void);

/* In a lost child: finds all regions and blocks anew, by their marks. */
void mid_sort_anew(void);

/* In a forked child: gives back all blocks that are not live. */
void mid_after_fork(void);

#endif
