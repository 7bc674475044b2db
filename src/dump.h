/*
 * The state dump: everything a reader needs who did not see what came before, as events. Made
 * when a session begins to record it, from time to time and at the process's end, when it has grown
 * much, at an out-of-memory failure and under memory pressure. Allocates nothing.
 */
#ifndef HAKMEM_DUMP_H
#define HAKMEM_DUMP_H

#include "trace.h"

#if HAK_TRACE
/* Dumps the state, if somebody records it. Other threads go on meanwhile. One dump at a time:
 * a second thread that comes does not wait. */
void dump_state(enum hak_dump_why why);

/* The same before an event that may trigger a snapshot: waits, for a second at most, until another
 * thread's dump is whole. The caller holds no lock and is not in the shared pool. */
void dump_before(enum hak_dump_why why);

/* Before an ACE failure is told because the system refused memory for a request of size bytes: what
 * the limits are at then, so that a snapshot which the failure triggers has it; every few seconds
 * at most. The caller holds no lock and is not in the shared pool. */
void dump_map_fail(size_t size);

/* From the tick: has a session begun to record dumps, or is a periodic one due? */
void dump_tick(uint64_t now_ns);

/* A moment after something went wrong. */
void dump_afterwards(uint64_t now_ns);

/* From the destructor: what the process ends with, where periodic dumps are recorded. */
void dump_at_exit(void);
#else
static inline void dump_state(enum hak_dump_why why)
{
    (void)why;
}

static inline void dump_before(enum hak_dump_why why)
{
    (void)why;
}

static inline void dump_map_fail(size_t size)
{
    (void)size;
}

static inline void dump_tick(uint64_t now_ns)
{
    (void)now_ns;
}

static inline void dump_at_exit(void)
{
}
#endif

#endif
