/*
 * Whoever listens to the transitions: the table handed over by the provider library, and the
 * queue of what happened before it could be. Only trace.c and process.c call this box. The
 * table pointer is published with release and never changes but to NULL.
 */
#ifndef HAKMEM_LISTENER_H
#define HAKMEM_LISTENER_H

#include "base.h"
#include "trace.h"

extern HIDDEN _Atomic(const struct hak_trace_ops *) listener_ops;
/* 1 while transitions are queued for a replay: from the first one until the constructor knows
 * whether somebody listens. */
extern HIDDEN _Atomic bool listener_early;

static inline bool listener_wants(enum hak_event id)
{
    const struct hak_trace_ops *ops = atomic_load_explicit(&listener_ops, memory_order_acquire);

    if (likely(!ops))
        return unlikely(atomic_load_explicit(&listener_early, memory_order_relaxed));
    return *ops->state[id] != 0;
}

/* NULL where nobody records the event; another pointer than before where a session has begun, or
 * ended, to do so. A listener that cannot tell sessions apart is one. */
static inline const void *listener_recorders(const struct hak_trace_ops *ops, enum hak_event id)
{
    if (*ops->state[id] == 0)
        return NULL;
    return ops->recorders[id] ? *ops->recorders[id] : ops;
}

/* Hands event, a struct hak_ev_* of size bytes, to the listener or to the queue. Nested calls
 * on one thread are dropped; errno is left alone. */
void listener_emit(enum hak_event id, const void *event, size_t size);

/* The same for a call of the C library's interface, a struct hak_libc_*. */
void listener_emit_call(enum hak_libc_call id, const void *event);

#endif
