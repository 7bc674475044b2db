#include "trace.h"

#include <errno.h>

#include "aftermath.h"
#include "calls.h"
#include "config.h"
#include "listener.h"
#include "log.h"
#include "misuse.h"
#include "os.h"
#include "storm.h"
#include "word.h"

struct trace_counters counters;

static uint64_t bump(_Atomic uint64_t *counter)
{
    return atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

#if HAK_TRACE
/* This thread's acquire, while its steps wait. */
static TLS_FAST struct trace_acquire *untold;

static void tell_acquire(void);

/* Builds the event's struct and hands it over, if somebody wants it. */
#define EMIT(name, ...)                                            \
    do {                                                           \
        if (listener_wants(HAK_EV_##name)) {                       \
            struct hak_ev_##name event_ = {__VA_ARGS__};           \
            tell_acquire();                                        \
            listener_emit(HAK_EV_##name, &event_, sizeof(event_)); \
        }                                                          \
    } while (0)
/* The same for refusals, unless they are added up. */
#define EMIT_REFUSAL(name, ...)                                        \
    do {                                                               \
        if (listener_wants(HAK_EV_##name)) {                           \
            struct hak_ev_##name event_ = {__VA_ARGS__};               \
            if (storm_##name(&event_)) {                               \
                tell_acquire();                                        \
                listener_emit(HAK_EV_##name, &event_, sizeof(event_)); \
            }                                                          \
        }                                                              \
    } while (0)
#define LOG_IF(knob, ...)          \
    do {                           \
        if (unlikely(knob))        \
            log_line(__VA_ARGS__); \
    } while (0)

uint64_t trace_clock(enum hak_event id)
{
    return listener_wants(id) ? os_now_ns() : 0;
}
#else
/* Compiled out, with the arguments still checked and used. */
#define EMIT(name, ...)                                  \
    do {                                                 \
        if (0) {                                         \
            struct hak_ev_##name event_ = {__VA_ARGS__}; \
            (void)event_;                                \
        }                                                \
    } while (0)
#define EMIT_REFUSAL EMIT
#define LOG_IF(knob, ...)          \
    do {                           \
        if (0)                     \
            log_line(__VA_ARGS__); \
    } while (0)

uint64_t trace_clock(enum hak_event id)
{
    (void)id;
    return 0;
}
#endif

static const char *const acquire_tag[] = {
    [HAK_STAGE_0_5] = "STAGE0.5_EMPTY", [HAK_STAGE_1] = "STAGE1_LOCKFREE",
    [HAK_STAGE_2] = "STAGE2_LOCKFREE",  [HAK_STAGE_3] = "STAGE3",
    [HAK_ADOPT] = "STAGE_ADOPT",        [HAK_REBIND] = "STAGE_REBIND",
};

void trace_superslab_map(uint64_t ss, unsigned lg, unsigned slabs, enum hak_ss_kind kind,
                         unsigned cls, uint64_t ns)
{
    bump(&counters.superslabs[lg - SS_LG_MIN]);
    LOG_IF(config.log_map, "[SS_MAP] ss=0x%lx size=%lu slabs=%u kind=%s cls=%u\n",
           (unsigned long)ss, 1ul << lg, slabs, kind == HAK_POOL ? "pool" : "legacy", cls);
    LOG_IF(config.log_registry && kind == HAK_POOL, "[SUPER_REG] ss=0x%lx slabs=%u cls=%u\n",
           (unsigned long)ss, slabs, cls);
    EMIT(superslab_map, .ss = ss, .lg = lg, .slabs = slabs, .kind = kind, .cls = cls, .ns = ns);
}

/* ---- acquires ---- */

static void emit_begin(const struct trace_acquire *a)
{
    EMIT(acquire_begin, .cls = a->cls, .owner = a->owner, .active = a->active, .cap = a->cap);
}

static void emit_stage(const struct trace_acquire *a, enum hak_stage stage)
{
    const struct trace_step *step = &a->step[stage];

    EMIT(acquire_stage, .cls = a->cls, .owner = a->owner, .stage = stage, .outcome = step->outcome,
         .scanned = step->scanned, .ns = step->ns);
}

#if HAK_TRACE
/* What waits comes before anything else. */
static void tell_acquire(void)
{
    struct trace_acquire *a = untold;

    if (likely(!a))
        return;
    untold = NULL;
    a->told = true;
    emit_begin(a);
    for (unsigned i = 0; i < a->asked; i++)
        emit_stage(a, a->order[i]);
}

static bool let_wait(struct trace_acquire *a)
{
    if (likely(!storm_expected(a->cls)) || untold || trace_busy())
        return false;
    untold = a;
    return true;
}
#else
static bool let_wait(struct trace_acquire *a)
{
    (void)a;
    return false;
}
#endif

void trace_acquire_begin(struct trace_acquire *a, unsigned cls, uint32_t owner, uint32_t active,
                         uint32_t cap)
{
    a->cls = cls;
    a->owner = owner;
    a->active = active;
    a->cap = cap;
    a->asked = 0;
    a->told = !let_wait(a);
    if (a->told)
        emit_begin(a);
}

void trace_acquire_stage(struct trace_acquire *a, enum hak_stage stage, enum hak_outcome outcome,
                         uint32_t scanned, uint64_t began)
{
    if (outcome == HAK_HIT)
        bump(&counters.acquires[a->cls][stage]);
    LOG_IF(config.log_acquire && outcome == HAK_HIT, "[SP_ACQUIRE_%s] cls=%u owner=%u scanned=%u\n",
           acquire_tag[stage], a->cls, a->owner, scanned);
    a->step[stage] = (struct trace_step){outcome, scanned, began ? os_now_ns() - began : 0};
    if (a->told) {
        emit_stage(a, stage);
        return;
    }
    a->order[a->asked++] = stage;
#if HAK_TRACE
    if (outcome == HAK_HIT)
        tell_acquire();
#endif
}

void trace_slab_active(struct slab_ref s, enum hak_stage stage, uint32_t owner, uint32_t capacity,
                       unsigned from_cls)
{
    EMIT(slab_active, .ss = s.ss, .slab = s.slab, .gen = s.gen, .cls = s.cls, .stage = stage,
         .owner = owner, .capacity = capacity, .from_cls = from_cls);
}

void trace_slab_empty(struct slab_ref s, uint32_t owner)
{
    LOG_IF(config.log_free, "[SP_SLOT_COMPLETELY_EMPTY] ss=0x%lx slab=%u gen=%u cls=%u\n",
           (unsigned long)s.ss, s.slab, s.gen, s.cls);
    EMIT(slab_empty, .ss = s.ss, .slab = s.slab, .gen = s.gen, .cls = s.cls, .owner = owner);
}

void trace_slab_release(struct slab_ref s, bool listed)
{
    LOG_IF(config.log_free && listed,
           "[SP_SLOT_FREELIST_LOCKFREE] ss=0x%lx slab=%u gen=%u cls=%u\n", (unsigned long)s.ss,
           s.slab, s.gen, s.cls);
    EMIT(slab_release, .ss = s.ss, .slab = s.slab, .gen = s.gen, .cls = s.cls, .listed = listed);
}

void trace_slab_publish(struct slab_ref s, uint32_t owner, uint32_t used)
{
    EMIT(slab_publish, .ss = s.ss, .slab = s.slab, .gen = s.gen, .cls = s.cls, .owner = owner,
         .used = used);
}

void trace_slab_adopt(struct slab_ref s, uint32_t owner, uint32_t used)
{
    EMIT(slab_adopt, .ss = s.ss, .slab = s.slab, .gen = s.gen, .cls = s.cls, .owner = owner,
         .used = used);
}

void trace_shared_fail(struct trace_acquire *a, const struct hak_ev_shared_fail *event)
{
    static const char *const reason[] = {"soft cap", "scan limit", "map fail"};
    uint64_t n = bump(&counters.shared_fail[event->cls]);

    LOG_IF(log_worth(n),
           "[SS_BACKEND] shared_fail→legacy cls=%u reason=\"%s\" active=%u cap=%u "
           "empty listed=%u marked=%u beyond=%u unmarked=%u count=%lu\n",
           event->cls, reason[event->reason], event->active, event->cap, event->listed,
           event->marked, event->beyond, event->unmarked, (unsigned long)n + 1);
#if HAK_TRACE
    if (listener_wants(HAK_EV_shared_fail) && storm_shared_fail(event, a->told ? NULL : a)) {
        tell_acquire();
        listener_emit(HAK_EV_shared_fail, event, sizeof(*event));
    }
    untold = NULL;
    aftermath_note(HAK_TROUBLE_SHARED_FAIL);
#else
    (void)reason, (void)n, (void)a;
#endif
}

void trace_legacy_alloc(const void *base, size_t size, unsigned cls, enum hak_legacy_source source,
                        enum hak_legacy_why why)
{
    /* What a listener itself allocates is no event, and so no legacy block either. */
    if (cls < CLASSES && why != HAK_WHY_IN_TRACER)
        bump(&counters.legacy_blocks[cls]);
    if (source == HAK_SYSTEM_MALLOC)
        bump(why == HAK_WHY_LARGE || why == HAK_WHY_ALIGNMENT ? &counters.system_large
                                                              : &counters.system_other);
    EMIT_REFUSAL(legacy_alloc, .base = (uintptr_t)base, .size = size, .cls = cls, .source = source,
                 .why = why);
}

void trace_superslab_purge(uint64_t ss, uint32_t mask, uint64_t bytes, uint64_t ns)
{
    unsigned slabs = (unsigned)__builtin_popcount(mask);

    bump(&counters.purges);
    atomic_fetch_add_explicit(&counters.purged_bytes, bytes, memory_order_relaxed);
    LOG_IF(config.log_map, "[SS_PURGE] ss=0x%lx slabs=%u mask=0x%08x bytes=%lu\n",
           (unsigned long)ss, slabs, mask, (unsigned long)bytes);
    EMIT(superslab_purge, .ss = ss, .slabs = slabs, .mask = mask, .bytes = bytes, .ns = ns);
}

void trace_superslab_unmap(uint64_t ss, unsigned lg, unsigned slabs, enum hak_ss_kind kind,
                           uint64_t ns)
{
    bump(&counters.superslabs_unmapped);
    LOG_IF(config.log_map, "[SS_UNMAP] ss=0x%lx size=%lu slabs=%u\n", (unsigned long)ss, 1ul << lg,
           slabs);
    EMIT(superslab_unmap, .ss = ss, .lg = lg, .slabs = slabs, .kind = kind, .ns = ns);
}

void trace_cap_change(unsigned cls, uint32_t from, uint32_t to, enum hak_cap_why why,
                      uint32_t demand)
{
    EMIT(cap_change, .cls = cls, .from = from, .to = to, .why = why, .demand = demand);
}

void trace_ss_size_change(unsigned cls, unsigned from, unsigned to, enum hak_size_why why,
                          uint32_t maps, uint32_t occupancy)
{
    EMIT(ss_size_change, .cls = cls, .from = from, .to = to, .why = why, .maps = maps,
         .occupancy = occupancy);
}

void trace_ace_map(const void *base, size_t size, enum hak_ace_layer layer, uint64_t mapped,
                   uint64_t ns)
{
    EMIT(ace_map, .base = (uintptr_t)base, .size = size, .layer = layer, .mapped = mapped,
         .ns = ns);
}

void trace_ace_purge(const void *base, size_t size, enum hak_ace_layer layer, uint64_t mapped,
                     uint64_t ns)
{
    EMIT(ace_purge, .base = (uintptr_t)base, .size = size, .layer = layer, .mapped = mapped,
         .ns = ns);
}

void trace_ace_unmap(const void *base, size_t size, enum hak_ace_layer layer, uint64_t mapped,
                     uint64_t ns)
{
    EMIT(ace_unmap, .base = (uintptr_t)base, .size = size, .layer = layer, .mapped = mapped,
         .ns = ns);
}

void trace_ace_remap(const void *from, const void *base, size_t old_size, size_t size,
                     uint64_t mapped, uint64_t ns)
{
    EMIT(ace_remap, .from = (uintptr_t)from, .base = (uintptr_t)base, .old_size = old_size,
         .size = size, .mapped = mapped, .ns = ns);
}

void trace_thread_start(uint32_t owner, uint32_t tid)
{
    bump(&counters.threads_started);
    EMIT(thread_start, .owner = owner, .tid = tid);
}

void trace_thread_exit(uint32_t owner, uint32_t tid, uint32_t published)
{
    /* Its refusals are to be told while it is there. */
    if (trace_attached())
        storm_tell(true);
    bump(&counters.threads_ended);
    EMIT(thread_exit, .owner = owner, .tid = tid, .published = published);
}

void trace_ace_fail(size_t size, enum hak_ace_layer layer, enum hak_ace_reason reason,
                    size_t class_size, uint64_t used, uint64_t limit, int err)
{
    static const char *const layers[] = {[HAK_TINY] = "tiny",
                                         [HAK_SYSTEM] = "system",
                                         [HAK_MID] = "mid",
                                         [HAK_LARGE] = "large",
                                         [HAK_HUGE] = "huge"};
    static const char *const reasons[] = {[HAK_THRESHOLD] = "threshold",
                                          [HAK_EXHAUSTION] = "exhaustion",
                                          [HAK_MAP_FAIL_OS] = "map_fail"};

    bump(&counters.ace_fails[layer][reason]);
    if (reason == HAK_MAP_FAIL_OS)
        bump(&counters.map_fails);
    LOG_IF(config.log_ace,
           "[ACE_FAIL] size=%zu layer=%s reason=%s class_size=%zu used=%lu limit=%lu errno=%d\n",
           size, layers[layer], reasons[reason], class_size, (unsigned long)used,
           (unsigned long)limit, err);
    EMIT_REFUSAL(ace_fail, .size = size, .layer = layer, .reason = reason, .class_size = class_size,
                 .used = used, .limit = limit, .err = err);
    if (reason == HAK_MAP_FAIL_OS)
        aftermath_note(HAK_TROUBLE_MAP_FAIL);
}

void trace_hdr_reset(unsigned cls, const struct block *b, uint64_t word, uint64_t expect,
                     enum hak_word_where where)
{
    uint64_t n = bump(&counters.hdr_resets);

    if (HAK_TRACE && log_worth(n))
        misuse_say_hdr_reset(cls, b, expect, n);
    EMIT(hdr_reset, .cls = cls, .base = (uintptr_t)b, .got = word & 0xff, .expect = expect & 0xff,
         .word = word, .count = n, .where = where);
    aftermath_note(HAK_TROUBLE_HDR_RESET);
    misuse_end("write to a freed block", b);
}

static void double_free(struct slab_ref s, const void *base, bool late)
{
    uint64_t n = bump(&counters.double_frees);

    if (HAK_TRACE && log_worth(n))
        misuse_say_double_free(s, base, late, n);
    EMIT(double_free, .base = (uintptr_t)base, .ss = s.ss, .slab = s.slab, .gen = s.gen,
         .cls = s.cls);
    aftermath_note(HAK_TROUBLE_DOUBLE_FREE);
    misuse_end("double free", base);
}

void trace_double_free(struct slab_ref s, const void *base)
{
    double_free(s, base, false);
}

void trace_double_free_late(struct slab_ref s, const void *base)
{
    double_free(s, base, true);
}

void trace_invalid_free(uint64_t ss, uint32_t slab, unsigned cls, const void *ptr,
                        enum hak_invalid_why why)
{
    uint64_t n = bump(&counters.invalid_frees);

    if (HAK_TRACE && log_worth(n))
        misuse_say_invalid_free(ss, slab, cls, ptr, why, n);
    EMIT(invalid_free, .ptr = (uintptr_t)ptr, .ss = ss, .slab = slab, .cls = cls, .why = why);
    misuse_end("free of what is no block", ptr);
}

void trace_oom(size_t size, size_t align, int err)
{
    bump(&counters.ooms);
    EMIT_REFUSAL(oom, .size = size, .align = align, .err = err);
    aftermath_note(HAK_TROUBLE_OOM);
}

void trace_aftermath(uint32_t phase, uint64_t after_ns)
{
    EMIT(aftermath, .phase = phase, .after_ns = after_ns);
}

void trace_pressure(enum hak_pressure_what what, uint32_t percent, uint64_t used, uint64_t limit,
                    uint64_t rss, uint64_t anon)
{
    bump(&counters.pressures);
    LOG_IF(config.log_ace, "[PRESSURE] %s at %u %%: %lu of %lu bytes, rss %lu\n",
           what == HAK_PRESSURE_CGROUP ? "memory cgroup" : "RLIMIT_AS", percent,
           (unsigned long)used, (unsigned long)limit, (unsigned long)rss);
    EMIT(pressure, .what = what, .percent = percent, .used = used, .limit = limit, .rss = rss,
         .anon = anon);
    aftermath_alert(HAK_TROUBLE_PRESSURE);
}

void trace_sll_refill(struct slab_ref s, uint32_t owner, enum hak_refill_from from, uint32_t taken,
                      uint32_t used)
{
    EMIT(sll_refill, .ss = s.ss, .slab = s.slab, .gen = s.gen, .cls = s.cls, .owner = owner,
         .from = from, .taken = taken, .used = used);
}

void trace_sll_drain(unsigned cls, uint32_t owner, uint32_t own, uint32_t remote, uint32_t slabs)
{
    EMIT(sll_drain, .cls = cls, .owner = owner, .own = own, .remote = remote, .slabs = slabs);
}

void trace_remote_push(struct slab_ref s, uint32_t blocks)
{
    EMIT(remote_push, .ss = s.ss, .slab = s.slab, .gen = s.gen, .cls = s.cls, .blocks = blocks);
}

void trace_remote_drain(struct slab_ref s, uint32_t owner, uint32_t blocks, uint32_t used)
{
    EMIT(remote_drain, .ss = s.ss, .slab = s.slab, .gen = s.gen, .cls = s.cls, .owner = owner,
         .blocks = blocks, .used = used);
}

void trace_pool_lock(unsigned cls, bool contended, uint64_t waited, uint64_t held)
{
    uint64_t max = atomic_load_explicit(&counters.lock_waited_max_ns, memory_order_relaxed);

    bump(&counters.lock_taken);
    if (contended) {
        bump(&counters.lock_contended);
        atomic_fetch_add_explicit(&counters.lock_waited_ns, waited, memory_order_relaxed);
        while (waited > max &&
               !atomic_compare_exchange_weak_explicit(&counters.lock_waited_max_ns, &max, waited,
                                                      memory_order_relaxed, memory_order_relaxed))
            ;
    }
    EMIT(pool_lock, .cls = cls, .waited_ns = waited, .held_ns = held);
    (void)cls, (void)held;
}

#if HAK_TRACE
void trace_alloc(const void *ptr, size_t size, unsigned cls)
{
    if (trace_calls())
        calls_tell_malloc(ptr, size);
    EMIT(alloc, .ptr = (uintptr_t)ptr, .size = size, .cls = cls);
}

void trace_free(const void *ptr, unsigned cls)
{
    if (trace_calls())
        calls_tell_free(ptr);
    EMIT(free, .ptr = (uintptr_t)ptr, .cls = cls);
}
#endif
