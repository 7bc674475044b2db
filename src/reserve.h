/*
 * What the tracer gets when there is no memory left. A thread's first events touch thread-local
 * variables of LTTng's; the C library allocates these by malloc then, and ends the process if it
 * gets NULL. Nobody who survives the end of memory shall die of being recorded.
 *
 * A little that is handed out once; any thread, no lock.
 */
#ifndef HAKMEM_RESERVE_H
#define HAKMEM_RESERVE_H

#include "base.h"

/* With the tracer's lock, before it is loaded: who is not recorded needs none. */
void reserve_prepare(void);

/* A block of zeros that was never used before; NULL when the reserve is used up. align: 0 or a
 * power of two. */
void *reserve_take(size_t size, size_t align);

/* Is p a block of the reserve? It is never given back. */
bool reserve_holds(const void *p);

/* Calls each for its memory, if there is any. */
void reserve_tables(table_each *each, void *arg);

/* How many bytes the block p has. */
size_t reserve_size(const void *p);

#endif
