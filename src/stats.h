/*
 * Statistics for people and programs: the counters of the seam and the pool put together.
 * Owns nothing.
 */
#ifndef HAKMEM_STATS_H
#define HAKMEM_STATS_H

/* Keeps a stderr of our own for stats_print(), if there will be something to print: many programs
 * close theirs before our destructor runs. */
void stats_begin(void);

/* Prints what HAKMEM_SHARED_POOL_STAGE_STATS and HAKMEM_SHARED_POOL_LOCK_STATS ask for. */
void stats_print(void);

#endif
