/*
 * Statistics for people and programs: the counters of the seam and the pool put together.
 * Owns nothing.
 */
#ifndef HAKMEM_STATS_H
#define HAKMEM_STATS_H

#include "trace.h"

/* The numbers of one class. */
void stats_class(unsigned cls, struct hak_class_stats *out);

/* The numbers of one of ACE's layers. */
void stats_layer(enum hak_ace_layer layer, struct hak_layer_stats *out);

/* Keeps a stderr of our own for stats_print(), if there will be something to print: many programs
 * close theirs before our destructor runs. */
void stats_begin(void);

/* Prints what HAKMEM_SHARED_POOL_STAGE_STATS and HAKMEM_SHARED_POOL_LOCK_STATS ask for. */
void stats_print(void);

#endif
