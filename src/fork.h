/*
 * Forks: which locks are taken around them and in which order, and how a child begins that was born
 * without us. The order is the lock order of the whole library; other headers point here.
 *
 * The handlers run on the thread that forks, and what they remember is that thread's: two threads
 * may fork at once.
 */
#ifndef HAKMEM_FORK_H
#define HAKMEM_FORK_H

#include "lost.h"

/* From the constructor: from now on forks are told to us. */
void fork_begin(void);

#endif
