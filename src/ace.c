#include "ace.h"

#include <errno.h>
#include <string.h>

#include "ace_cache.h"
#include "ace_huge.h"
#include "ace_large.h"
#include "ace_layer.h"
#include "ace_mid.h"
#include "config.h"
#include "dump.h"
#include "legacy.h"
#include "limits.h"
#include "oom.h"
#include "process.h"
#include "thread.h"
#include "tick.h"
#include "tiny.h"
#include "trim.h"

/* ---- blocks freed inside a listener ---- */

/* Such a free may come while this thread holds every lock for a fork, and must cause nothing that
 * a listener would have to be told: the block waits here for the next call that may. It has a word
 * as the tiny classes' free blocks have, of a class of theirs. */
#define DEFERRED_AS (CLASSES - 1)

static _Atomic(struct block *) deferred;

static void defer(void *p)
{
    struct block *d = p;
    struct block *first = atomic_load_explicit(&deferred, memory_order_relaxed);

    do {
        block_link(d, first, DEFERRED_AS);
    } while (!atomic_compare_exchange_weak_explicit(&deferred, &first, d, memory_order_release,
                                                    memory_order_relaxed));
}

static void give(void *p, int kind)
{
    switch (kind) {
    case PAGEMAP_MID: mid_give(&p, 1); break;
    case PAGEMAP_LARGE: large_give(p); break;
    default: huge_give(p); break;
    }
}

static NOINLINE void collect_deferred(void)
{
    struct block *d = atomic_exchange_explicit(&deferred, NULL, memory_order_acquire);

    /* Somebody has written to one: it and those behind it are lost. */
    while (d && block_intact(d, DEFERRED_AS)) {
        struct block *next = block_next(d, DEFERRED_AS);

        d->word = 0;
        give(d, pagemap_lookup(d));
        d = next;
    }
}

static void settle(void)
{
    if (unlikely(atomic_load_explicit(&deferred, memory_order_relaxed)))
        collect_deferred();
    tick_grown();
    process_poke();
}

/* As settle(), from free(). */
static void settle_free(void)
{
    if (unlikely(atomic_load_explicit(&deferred, memory_order_relaxed)))
        collect_deferred();
    process_poke_free();
}

void ace_forget_deferred(void)
{
    atomic_store_explicit(&deferred, NULL, memory_order_relaxed);
}

/* ---- the layers, one after the other ---- */

/* The calling thread's cache; NULL if it has ended or there is no memory. */
static struct ace_cache *my_cache(void)
{
    return likely(tls.state == THREAD_LIVE) || thread_begin() ? cache_mine() : NULL;
}

static struct ace_cache *cache_of_a_free(void)
{
    return likely(tls.state == THREAD_LIVE) || thread_begin_to_free() ? cache_mine() : NULL;
}

/* Is a block of stride bytes too large for a request of size, by W_MAX? */
static bool is_above_wmax(size_t size, size_t stride)
{
    return stride * 100 > size * config.ace_wmax;
}

static struct ace_answer above_wmax(struct space *sp, size_t stride)
{
    struct ace_answer a = {.reason = HAK_THRESHOLD, .class_size = stride, .limit = *sp->limit};

    if (!lost_take(&sp->lock))
        return a;
    a.used = sp->used;
    lock_give(&sp->lock);
    return a;
}

static struct ace_answer ask_mid(size_t wanted, size_t align)
{
    struct ace_cache *cache = my_cache();
    unsigned cls = mid_class(wanted), more = cache ? cache_batch(cls) : 0;
    struct ace_answer a = {.class_size = mid_stride(cls)};
    void *others[CACHE_MID];

    while (align && mid_stride(cls) % align)
        cls++;
    if (is_above_wmax(wanted, mid_stride(cls)))
        return above_wmax(&mid_space, mid_stride(cls));
    if (!cache || !(a.p = cache_pop_mid(cache, cls))) {
        settle();
        a = mid_take(cls, others, &more);
        while (a.p && more)
            (void)cache_push_mid(cache, cls, others[--more]);
    }
    if (a.p)
        mid_enliven(a.p, cls);
    return a;
}

static struct ace_answer ask_large(size_t wanted, size_t align)
{
    struct ace_cache *cache = my_cache();
    unsigned cls = large_class(wanted);
    struct ace_answer a = {.class_size = large_stride(cls)};

    if (is_above_wmax(wanted, a.class_size))
        return above_wmax(&large_space, a.class_size);
    /* A cached block may lie at any unit. */
    if (!cache || align > UNIT_SIZE || !(a.p = cache_pop_large(cache, cls))) {
        settle();
        a = large_take(cls, align);
    }
    if (a.p)
        large_enliven(a.p, cls);
    return a;
}

static struct ace_answer ask(enum hak_ace_layer layer, size_t wanted, size_t align)
{
    switch (layer) {
    case HAK_MID: return ask_mid(wanted, align);
    case HAK_LARGE: return ask_large(wanted, align);
    default: settle(); return huge_take(wanted, align);
    }
}

/* Can what refused for this reason be expected to serve, after idle memory was handed back? */
static bool made_room(const struct ace_answer *a)
{
    if (a->reason == HAK_EXHAUSTION)
        return cache_flush_all() != 0;
    return a->reason == HAK_MAP_FAIL_OS && !a->unasked && trim_all();
}

static struct ace_answer ask_twice(enum hak_ace_layer layer, size_t size, size_t wanted,
                                   size_t align)
{
    struct ace_answer a = ask(layer, wanted, align);

    if (likely(a.p != NULL))
        return a;
    if (made_room(&a))
        a = ask(layer, wanted, align);
    if (!a.p) {
        if (a.reason == HAK_MAP_FAIL_OS)
            dump_map_fail(size);
        trace_ace_fail(size, layer, a.reason, a.class_size, a.used, a.limit, a.err);
    }
    return a;
}

static void *from_system(size_t size, size_t align, bool zeroed, enum hak_legacy_why why)
{
    void *p =
        zeroed ? legacy_system_zeroed(1, size, why) : legacy_system(CLASS_NONE, size, align, why);

    if (p)
        trace_alloc(p, size, CLASS_NONE);
    return p;
}

static const unsigned class_of_layer[] = {
    [HAK_MID] = CLASS_MID, [HAK_LARGE] = CLASS_LARGE, [HAK_HUGE] = CLASS_HUGE};

static unsigned class_of_kind(int kind)
{
    return kind == PAGEMAP_MID ? CLASS_MID : kind == PAGEMAP_LARGE ? CLASS_LARGE : CLASS_HUGE;
}

void *ace_alloc(size_t size, size_t align, bool zeroed)
{
    enum hak_ace_layer layer;
    size_t wanted;

    process_init();
    if (unlikely(size > PTRDIFF_MAX || align > PTRDIFF_MAX)) {
        errno = ENOMEM;
        oom(size, align, ENOMEM);
        return NULL;
    }
    if (unlikely(trace_busy()))
        return from_system(size, align, zeroed, HAK_WHY_IN_TRACER);
    if (unlikely(limits_near))
        return from_system(size, align, zeroed, HAK_WHY_NEAR_LIMIT);
    /* What an aligned block needs at least: no class is blamed for the alignment. */
    wanted = align ? align_up(size ? size : 1, align) : size;
    layer = wanted <= MID_MAX ? HAK_MID : wanted <= LARGE_MAX ? HAK_LARGE : HAK_HUGE;
    for (; layer <= HAK_HUGE; layer++) {
        struct ace_answer a =
            ask_twice(layer, size, layer == HAK_HUGE && size ? size : wanted, align);

        if (unlikely(!a.p))
            continue;
        trace_alloc(a.p, size, class_of_layer[layer]);
        return zeroed && !a.zero ? memset(a.p, 0, size) : a.p;
    }
    return from_system(size, align, zeroed, align ? HAK_WHY_ALIGNMENT : HAK_WHY_LARGE);
}

/* Most requests: a mid block from the thread's cache. NULL: the long way. */
static void *from_cache(size_t size)
{
    unsigned cls = mid_class(size);
    void *p;

    if (unlikely(size > MID_MAX || tls.state != THREAD_LIVE || !tls.owner->ace || trace_busy() ||
                 is_above_wmax(size, mid_stride(cls))))
        return NULL;
    p = cache_pop_mid(tls.owner->ace, cls);
    if (likely(p != NULL)) {
        mid_enliven(p, cls);
        trace_alloc(p, size, CLASS_MID);
    }
    return p;
}

void *ace_malloc(size_t size)
{
    void *p = from_cache(size);

    return likely(p != NULL) ? p : ace_alloc(size, 0, false);
}

/* ---- blocks that the user has ---- */

bool ace_owns(const void *p, int kind)
{
    return kind == PAGEMAP_MID || kind == PAGEMAP_LARGE || huge_start(p, kind);
}

/* Puts a mid or large block into the thread's cache or, if it has none, back in its layer. */
static void keep(void *p, int kind, unsigned cls)
{
    struct ace_cache *cache = cache_of_a_free();

    if (cache &&
        !(kind == PAGEMAP_MID ? cache_push_mid(cache, cls, p) : cache_push_large(cache, cls, p)))
        return;
    if (!cache)
        give(p, kind);
    settle_free();
}

void ace_free(void *p, int kind)
{
    int cls, saved = errno;

    switch (kind) {
    case PAGEMAP_MID: cls = mid_unliven(p); break;
    case PAGEMAP_LARGE: cls = large_unliven(p); break;
    default: cls = huge_unliven(p) ? 0 : -1; break;
    }
    if (unlikely(cls < 0))
        return;
    trace_free(p, class_of_kind(kind));
    tick_want();
    if (unlikely(trace_busy())) {
        defer(p);
        return;
    }
    if (kind == PAGEMAP_MID || kind == PAGEMAP_LARGE) {
        keep(p, kind, (unsigned)cls);
    } else {
        huge_give(p);
        settle_free();
    }
    errno = saved;
}

size_t ace_usable(const void *p, int kind)
{
    int cls;

    switch (kind) {
    case PAGEMAP_MID: cls = mid_live_class(p); return cls < 0 ? 0 : mid_stride((unsigned)cls);
    case PAGEMAP_LARGE: cls = large_live_class(p); return cls < 0 ? 0 : large_stride((unsigned)cls);
    default: return huge_size(p);
    }
}

/* The events of a realloc in place. */
static void *told_again(void *p, size_t size, unsigned cls)
{
    trace_free(p, cls);
    trace_alloc(p, size, cls);
    return p;
}

static void *resize_large(void *p, size_t size, size_t usable)
{
    unsigned from = large_class(usable), to = large_class(size);

    if (size <= MID_MAX || size > LARGE_MAX || is_above_wmax(size, large_stride(to)))
        return NULL;
    return large_resize(p, from, to) ? told_again(p, size, CLASS_LARGE) : NULL;
}

static void *resize_huge(void *p, size_t size, size_t usable)
{
    void *to = NULL;

    if (size <= LARGE_MAX)
        return NULL;
    /* Told first: what the kernel moves away from may be another's at once. */
    trace_free(p, CLASS_HUGE);
    /* What grows by little grows again: room for more costs addresses only. */
    if (size > usable && size - usable < usable / 8)
        to = huge_resize(p, size + size / 8);
    if (!to)
        to = huge_resize(p, size);
    trace_alloc(to ? to : p, to ? size : usable, CLASS_HUGE);
    return to;
}

void *ace_resize(void *p, int kind, size_t size)
{
    size_t usable = ace_usable(p, kind);

    if (size <= usable && size > usable / 2)
        return told_again(p, size, class_of_kind(kind));
    /* All else wants a lock, and the large and huge layers' may be held. */
    if (kind == PAGEMAP_MID || trace_busy() || size > PTRDIFF_MAX)
        return NULL;
    return kind == PAGEMAP_LARGE ? resize_large(p, size, usable) : resize_huge(p, size, usable);
}

void ace_report(void *p, int kind)
{
    if (kind == PAGEMAP_MID)
        (void)mid_unliven(p);
    else if (kind == PAGEMAP_LARGE)
        (void)large_unliven(p);
    else
        (void)huge_unliven(p);
}

void ace_drain(void)
{
    if (!trace_busy())
        cache_flush_mine();
}
