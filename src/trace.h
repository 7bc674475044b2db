/*
 * The allocator's side of the seam: one call a transition, named as the event is. Behind each
 * call hang the statistics counter, the optional log line and, where a listener is attached,
 * the event. The allocator never sees which of them happen.
 *
 * Counters are relaxed atomics; the listener's table is installed once. A per-thread guard keeps
 * a listener that allocates from being called again: see trace_busy().
 */
#ifndef HAKMEM_TRACE_H
#define HAKMEM_TRACE_H

#include "../tracepoints/seam.h"
#include "geometry.h"
#include "hakmem.h"
#include "lost.h"
#include "pagemap.h"

/* Set while this thread is inside a listener, or between the handlers of a fork. The slow paths
 * look at it, so that a listener that allocates causes no transition that could not be reported,
 * and a fork handler that allocates needs none of the locks its thread holds. */
extern HIDDEN TLS_FAST bool trace_inside;

static inline bool trace_busy(void)
{
    return trace_inside;
}

struct slab_ref {
    uint64_t ss;
    uint32_t slab, gen, cls;
};

struct block;

/* Counters kept by the calls below; pool and superslab add theirs in stats.c. */
struct trace_counters {
    _Atomic uint64_t acquires[CLASSES][6];
    _Atomic uint64_t shared_fail[CLASSES];
    _Atomic uint64_t legacy_blocks[CLASSES];
    _Atomic uint64_t superslabs[SS_LG_MAX - SS_LG_MIN + 1];
    _Atomic uint64_t system_large, system_other;
    _Atomic uint64_t superslabs_unmapped, purges, purged_bytes;
    _Atomic uint64_t hdr_resets, double_frees, invalid_frees, map_fails, ooms, pressures;
    _Atomic uint64_t lock_taken, lock_contended, lock_waited_ns, lock_waited_max_ns;
    _Atomic uint64_t threads_started, threads_ended;
    _Atomic uint64_t ace_fails[HAK_HUGE + 1][HAK_MAP_FAIL_OS + 1];
};

extern HIDDEN struct trace_counters counters;

/* One acquire, on its caller's stack until it has hit or is refused. In a storm of refusals its
 * steps wait until it is known whether they are told, before anything else that this thread
 * tells. */
#define TRACE_STEPS 6u

struct trace_acquire {
    uint32_t cls, owner, active, cap;
    bool told;      /* nothing waits */
    uint32_t asked; /* steps that wait */
    enum hak_stage order[TRACE_STEPS];
    struct trace_step {
        enum hak_outcome outcome;
        uint32_t scanned;
        uint64_t ns;
    } step[TRACE_STEPS]; /* by stage */
};

/* The clock for the duration field of such an event, 0 where nobody listens to it. */
uint64_t trace_clock(enum hak_event id);

/* lifecycle */
void trace_superslab_map(uint64_t ss, unsigned lg, unsigned slabs, enum hak_ss_kind kind,
                         unsigned cls, uint64_t ns);
void trace_acquire_begin(struct trace_acquire *a, unsigned cls, uint32_t owner, uint32_t active,
                         uint32_t cap);
void trace_acquire_stage(struct trace_acquire *a, enum hak_stage stage, enum hak_outcome outcome,
                         uint32_t scanned, uint64_t began);
void trace_slab_active(struct slab_ref s, enum hak_stage stage, uint32_t owner, uint32_t capacity,
                       unsigned from_cls);
void trace_slab_empty(struct slab_ref s, uint32_t owner);
void trace_slab_release(struct slab_ref s, bool listed);
void trace_slab_publish(struct slab_ref s, uint32_t owner, uint32_t used);
void trace_slab_adopt(struct slab_ref s, uint32_t owner, uint32_t used);
/* It ends the acquire. */
void trace_shared_fail(struct trace_acquire *a, const struct hak_ev_shared_fail *event);
void trace_legacy_alloc(const void *base, size_t size, unsigned cls, enum hak_legacy_source source,
                        enum hak_legacy_why why);
void trace_superslab_purge(uint64_t ss, uint32_t mask, uint64_t bytes, uint64_t ns);
void trace_superslab_unmap(uint64_t ss, unsigned lg, unsigned slabs, enum hak_ss_kind kind,
                           uint64_t ns);
void trace_cap_change(unsigned cls, uint32_t from, uint32_t to, enum hak_cap_why why,
                      uint32_t demand);
void trace_ss_size_change(unsigned cls, unsigned from, unsigned to, enum hak_size_why why,
                          uint32_t maps, uint32_t occupancy);
/* base, size, layer; mapped: bytes of the layer afterwards; ns: time the system call took. */
void trace_ace_map(const void *base, size_t size, enum hak_ace_layer layer, uint64_t mapped,
                   uint64_t ns);
void trace_ace_purge(const void *base, size_t size, enum hak_ace_layer layer, uint64_t mapped,
                     uint64_t ns);
void trace_ace_unmap(const void *base, size_t size, enum hak_ace_layer layer, uint64_t mapped,
                     uint64_t ns);
void trace_ace_remap(const void *from, const void *base, size_t old_size, size_t size,
                     uint64_t mapped, uint64_t ns);
void trace_thread_start(uint32_t owner, uint32_t tid);
void trace_thread_exit(uint32_t owner, uint32_t tid, uint32_t published);

/* failure */
void trace_ace_fail(size_t size, enum hak_ace_layer layer, enum hak_ace_reason reason,
                    size_t class_size, uint64_t used, uint64_t limit, int err);
void trace_hdr_reset(unsigned cls, const struct block *b, uint64_t word, uint64_t expect,
                     enum hak_word_where where);
void trace_double_free(struct slab_ref s, const void *base);
/* The same, noticed only by the slab's counts: base is the block that was one too many. */
void trace_double_free_late(struct slab_ref s, const void *base);
void trace_invalid_free(uint64_t ss, uint32_t slab, unsigned cls, const void *ptr,
                        enum hak_invalid_why why);
void trace_oom(size_t size, size_t align, int err);
/* See aftermath.h. */
void trace_aftermath(uint32_t phase, uint64_t after_ns);
void trace_pressure(enum hak_pressure_what what, uint32_t percent, uint64_t used, uint64_t limit,
                    uint64_t rss, uint64_t anon);

/* flow */
void trace_sll_refill(struct slab_ref s, uint32_t owner, enum hak_refill_from from, uint32_t taken,
                      uint32_t used);
void trace_sll_drain(unsigned cls, uint32_t owner, uint32_t own, uint32_t remote, uint32_t slabs);
void trace_remote_push(struct slab_ref s, uint32_t blocks);
void trace_remote_drain(struct slab_ref s, uint32_t owner, uint32_t blocks, uint32_t used);
/* waited, held: nanoseconds, from os_now_ns() differences. */
void trace_pool_lock(unsigned cls, bool contended, uint64_t waited, uint64_t held);

/* ops: one predictable branch each where nobody records them. */
#define CLASS_MID 252u
#define CLASS_LARGE 253u
#define CLASS_HUGE 254u
#define CLASS_NONE 255u

#if HAK_TRACE
/* The bounds that the fast paths of malloc (sizes below it) and free (page map roots below it)
 * compare with anyway. While somebody records alloc or free they are 0, and every call takes the
 * slow path, which reports: nothing is paid for the question. trace_poll() sets them. */
extern HIDDEN _Atomic size_t trace_malloc_gate;
extern HIDDEN _Atomic uintptr_t trace_free_gate;
void trace_alloc(const void *ptr, size_t size, unsigned cls);
void trace_free(const void *ptr, unsigned cls);

/* Does somebody record the calls of libc.def? Then calls.c tells them. */
extern HIDDEN _Atomic bool trace_calls_wanted;

static inline bool trace_calls(void)
{
    return unlikely(atomic_load_explicit(&trace_calls_wanted, memory_order_relaxed));
}

static inline size_t malloc_gate(void)
{
    return atomic_load_explicit(&trace_malloc_gate, memory_order_relaxed);
}

static inline uintptr_t free_gate(void)
{
    return atomic_load_explicit(&trace_free_gate, memory_order_relaxed);
}
#else
static inline void trace_alloc(const void *ptr, size_t size, unsigned cls)
{
    (void)ptr, (void)size, (void)cls;
}

static inline void trace_free(const void *ptr, unsigned cls)
{
    (void)ptr, (void)cls;
}

static inline bool trace_calls(void)
{
    return false;
}

static inline size_t malloc_gate(void)
{
    return TINY_MAX + 1;
}

static inline uintptr_t free_gate(void)
{
    return PAGEMAP_ROOTS;
}
#endif

/* From the slow paths of malloc and free, and the tick: has a session begun or ceased to record? A
 * new one is told what process this is. */
void trace_poll(void);

/* The listener. */

/* Loads the provider library from beside this one and installs its table. complete: the
 * transitions queued since the process's first are replayed, so the recording has them all.
 * false, with one line on stderr if loud, when it cannot be loaded. */
bool trace_attach(bool complete, bool loud);
bool trace_attached(void);
/* The listener goes away. */
void trace_detach(void);
/* Nobody will listen from the start: stop queueing transitions for a replay. */
void trace_early_end(void);
/* Is this thread loading the provider just now? */
bool trace_is_attaching(void);

/* In a forked child whose parent had one thread only, and no tracer so far. */
void trace_forked_alone(void);

/* In a child that the tracer knows nothing of, and never will: what it would write would be the
 * parent's. */
void trace_forked_unseen(void);

/* Its part in any other fork; and once all locks are given back. */
void trace_fork(enum fork_step step);
void trace_after_fork_parent(void);
void trace_after_fork_child(void);

#endif
