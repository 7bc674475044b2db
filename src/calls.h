/*
 * The calls of malloc's interface as LTTng's libc wrapper tells them (tracepoints/libc.def), where
 * HAKMEM_LIBC_EVENTS asks for them and somebody records them. A call that is made of others, such
 * as realloc of malloc and free, is one event: api.c hands the whole call to calls_*(), which
 * makes it again with the thread marked. No lock; all state is the thread's.
 */
#ifndef HAKMEM_CALLS_H
#define HAKMEM_CALLS_H

#include "trace.h"

/* This thread is inside a call that will be told as a whole. */
extern HIDDEN TLS_FAST bool calls_inside;

static inline bool calls_told(void)
{
    return trace_calls() && !calls_inside;
}

void *calls_calloc(size_t count, size_t size);
void *calls_realloc(void *p, size_t size);
/* aligned_alloc, valloc and pvalloc as well. */
void *calls_memalign(size_t align, size_t size);
int calls_posix_memalign(void **out, size_t align, size_t size);

/* malloc and free themselves: what happens outside of any other call. */
void calls_tell_malloc(const void *p, size_t size);
void calls_tell_free(const void *p);

#endif
