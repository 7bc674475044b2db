/*
 * The process's life: initialisation on the first slow path, the constructor that decides about
 * tracing, the search for a session daemon while HAKMEM_TRACE=auto, and what is printed
 * at exit.
 */
#ifndef HAKMEM_PROCESS_H
#define HAKMEM_PROCESS_H

#include "tick.h"
#include "trace.h"

extern HIDDEN _Atomic bool process_ready;
extern HIDDEN _Atomic bool process_searching;

void process_init_once(void);
void process_search(void);

/* In a forked child: what the parent was looking for is looked for here. */
void process_forked(void);

/* Before the first block is handed out, however early that is. */
static inline void process_init(void)
{
    if (unlikely(!atomic_load_explicit(&process_ready, memory_order_acquire)))
        process_init_once();
}

/* From the slow paths of malloc: what changes outside the process is noticed here. */
static inline void process_poke(void)
{
    trace_poll();
    if (unlikely(atomic_load_explicit(&tick_wanted, memory_order_relaxed)))
        tick_begin();
    if (unlikely(atomic_load_explicit(&process_searching, memory_order_relaxed)))
        process_search();
}

/* From those of free, which may make no thread: the C library frees a thread's storage under the
 * lock of its stacks, which pthread_create() takes. */
static inline void process_poke_free(void)
{
    trace_poll();
    if (unlikely(atomic_load_explicit(&tick_wanted, memory_order_relaxed)))
        tick_wake();
}

#endif
