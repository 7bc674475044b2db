#include "ace_large.h"

#include <errno.h>

/* A unit's byte: 0 no block starts here, else (class + 1) << 1 | live. It outlasts the block, so
 * that a late second free is known for what it is. */
typedef _Atomic uint8_t unit_mark;

_Static_assert(SPACE_HEADER + REGION_UNITS <= UNIT_SIZE, "the marks are beside the region");

struct space large_space = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .layer = HAK_LARGE, .kind = PAGEMAP_LARGE, .reserved = 1};

static unit_mark *mark_of(const void *p)
{
    return (unit_mark *)((uintptr_t)region_of(p) + SPACE_HEADER) + unit_of(p);
}

static uint8_t mark_get(const void *p)
{
    return atomic_load_explicit(mark_of(p), memory_order_relaxed);
}

static uint8_t mark_free(unsigned cls)
{
    return (uint8_t)((cls + 1) << 1);
}

static unsigned mark_cls(uint8_t mark)
{
    return (mark >> 1) - 1u;
}

static unsigned units(unsigned cls)
{
    return (unsigned)(large_stride(cls) >> UNIT_LG);
}

/* A block of class cls starts at p, and none in its other units from the first-th on. */
static void mark_run(void *p, unsigned cls, unsigned first)
{
    unit_mark *m = mark_of(p);

    atomic_store_explicit(m, mark_free(cls), memory_order_relaxed);
    for (unsigned i = first; i < units(cls); i++)
        atomic_store_explicit(&m[i], 0, memory_order_relaxed);
}

static bool within_limit(size_t more)
{
    return !large_space.limit || large_space.used + more <= large_space.limit;
}

struct ace_answer large_take(unsigned cls, size_t align)
{
    struct ace_answer a = {.class_size = large_stride(cls)};
    struct space_news news = {NULL, 0, 0, false};
    unsigned n = units(cls), step = align > UNIT_SIZE ? (unsigned)(align >> UNIT_LG) : 1;

    pthread_mutex_lock(&large_space.lock);
    if (!within_limit(a.class_size)) {
        a.reason = HAK_EXHAUSTION;
    } else if ((a.p = space_take(&large_space, n, step, &a.zero)) ||
               (space_grow(&large_space, &news) &&
                (a.p = space_take(&large_space, n, step, &a.zero)))) {
        space_count(&large_space, a.class_size, 1);
        mark_run(a.p, cls, 1);
    } else {
        a.reason = HAK_MAP_FAIL_OS;
        a.err = errno;
        a.unasked = news.unasked;
    }
    a.used = large_space.used;
    a.limit = large_space.limit;
    pthread_mutex_unlock(&large_space.lock);
    space_tell(&large_space, &news);
    return a;
}

static void give(void *p)
{
    unsigned cls = mark_cls(mark_get(p));

    space_uncount(&large_space, large_stride(cls), 1);
    space_give(&large_space, p, units(cls));
}

void large_give(void *p)
{
    pthread_mutex_lock(&large_space.lock);
    give(p);
    pthread_mutex_unlock(&large_space.lock);
}

bool large_resize(void *p, unsigned from, unsigned to)
{
    unsigned had = units(from), n = units(to);
    bool done;

    pthread_mutex_lock(&large_space.lock);
    if (n <= had) {
        done = true;
        if (n < had)
            space_give(&large_space, (char *)p + large_stride(to), had - n);
    } else {
        done = within_limit(large_stride(to) - large_stride(from)) &&
               space_extend(&large_space, p, had, n - had);
    }
    if (done) {
        space_uncount(&large_space, large_stride(from), 1);
        space_count(&large_space, large_stride(to), 1);
        mark_run(p, to, had);
        large_enliven(p);
    }
    pthread_mutex_unlock(&large_space.lock);
    return done;
}

void large_enliven(void *p)
{
    atomic_store_explicit(mark_of(p), mark_get(p) | 1, memory_order_relaxed);
}

static void report(const void *p, uint8_t mark)
{
    struct slab_ref ref = {(uintptr_t)region_of(p), unit_of(p), 0, CLASS_LARGE};

    if (mark)
        trace_double_free(ref, p);
    else
        trace_invalid_free(ref.ss, ref.slab, CLASS_LARGE, p,
                           ref.slab ? HAK_NOT_A_BLOCK_START : HAK_IN_HEADER);
}

/* p's mark; 0 if p is not at the start of a unit. */
static uint8_t mark_at(const void *p)
{
    return (uintptr_t)p & (UNIT_SIZE - 1) ? 0 : mark_get(p);
}

int large_unliven(void *p)
{
    uint8_t mark = mark_at(p);

    if (likely(mark & 1) &&
        likely(atomic_compare_exchange_strong_explicit(mark_of(p), &mark, mark & ~1u,
                                                       memory_order_acq_rel, memory_order_relaxed)))
        return (int)mark_cls(mark);
    report(p, mark);
    return -1;
}

int large_live_class(const void *p)
{
    uint8_t mark = mark_at(p);

    return mark & 1 ? (int)mark_cls(mark) : -1;
}

void large_after_fork(void)
{
    for (struct region *r = large_space.all; r; r = r->next) {
        for (unsigned unit = 1; unit < REGION_UNITS; unit++) {
            char *p = (char *)r + ((size_t)unit << UNIT_LG);
            uint8_t mark = mark_get(p);

            /* The mark of a free run's start outlasts it, until the unit is used again. */
            if (mark && !(mark & 1) && r->used[unit / 64] >> unit % 64 & 1)
                give(p);
        }
    }
}
