#include "ace_large.h"

#include <errno.h>
#include <string.h>

#include "ace_mark.h"
#include "ace_units.h"
#include "config.h"

/* A mark a unit. */
#define MARKS_AT SPACE_HEADER
_Static_assert(MARKS_AT + REGION_UNITS <= UNIT_SIZE, "the marks are beside the region");

struct space large_space = {
    .layer = HAK_LARGE, .limit = &config.ace_large_cap, .kind = PAGEMAP_LARGE, .reserved = 1};

static ace_mark *mark_of(const void *p)
{
    return (ace_mark *)((uintptr_t)region_of(p) + MARKS_AT) + unit_of(p);
}

static unsigned units(unsigned cls)
{
    return (unsigned)(large_stride(cls) >> UNIT_LG);
}

/* A block of class cls starts at p, and none in its other units from the first-th on. */
static void mark_run(void *p, unsigned cls, unsigned first)
{
    ace_mark *m = mark_of(p);

    mark_set(m, mark_free(cls));
    for (unsigned i = first; i < units(cls); i++)
        mark_set(&m[i], 0);
}

struct ace_answer large_take(unsigned cls, size_t align)
{
    struct ace_answer a = {.class_size = large_stride(cls)};
    struct space_news news = {NULL, 0, 0, false};
    unsigned n = units(cls), step = align > UNIT_SIZE ? (unsigned)(align >> UNIT_LG) : 1;

    if (!lost_take(&large_space.lock))
        return ace_lost(a);
    if (!space_has_room(&large_space, a.class_size)) {
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
    a.limit = *large_space.limit;
    lock_give(&large_space.lock);
    space_tell(&large_space, &news);
    return a;
}

static void give(void *p)
{
    unsigned cls = mark_cls(mark_get(mark_of(p)));

    space_uncount(&large_space, large_stride(cls), 1);
    space_give(&large_space, p, units(cls));
}

void large_give(void *p)
{
    if (!lost_take(&large_space.lock))
        return;
    give(p);
    lock_give(&large_space.lock);
}

bool large_resize(void *p, unsigned from, unsigned to)
{
    unsigned had = units(from), n = units(to);
    bool done;

    if (!lost_take(&large_space.lock))
        return false;
    if (n <= had) {
        done = true;
        if (n < had)
            space_give(&large_space, (char *)p + large_stride(to), had - n);
    } else {
        done = space_has_room(&large_space, large_stride(to) - large_stride(from)) &&
               space_extend(&large_space, p, had, n - had);
    }
    if (done) {
        space_uncount(&large_space, large_stride(from), 1);
        space_count(&large_space, large_stride(to), 1);
        mark_run(p, to, had);
        large_enliven(p, to);
    }
    lock_give(&large_space.lock);
    return done;
}

void large_enliven(void *p, unsigned cls)
{
    mark_set(mark_of(p), mark_free(cls) | MARK_LIVE);
}

static bool at_a_unit(const void *p)
{
    return !((uintptr_t)p & (UNIT_SIZE - 1));
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

int large_unliven(void *p)
{
    uint8_t mark = 0;
    int cls = at_a_unit(p) ? mark_unliven(mark_of(p), &mark) : -1;

    if (unlikely(cls < 0))
        report(p, mark);
    return cls;
}

int large_live_class(const void *p)
{
    return at_a_unit(p) ? mark_live_class(mark_of(p)) : -1;
}

static void region_take_over(void *base, void *unused)
{
    struct region *r = base;

    (void)unused;
    memset(r->used, 0, sizeof(r->used));
    set_units(r->used, 0, large_space.reserved);
    for (unsigned unit = large_space.reserved; unit < REGION_UNITS;) {
        char *p = (char *)r + ((size_t)unit << UNIT_LG);
        int cls = large_live_class(p);
        unsigned n = cls < 0 ? 1 : units((unsigned)cls);

        if (cls < 0) {
            mark_set(mark_of(p), 0);
        } else {
            set_units(r->used, unit, n);
            space_count(&large_space, large_stride((unsigned)cls), 1);
        }
        unit += n;
    }
    space_take_over(&large_space, r);
}

void large_sort_anew(void)
{
    space_begin_anew(&large_space);
    pagemap_each(PAGEMAP_LARGE, REGION_SIZE, region_take_over, NULL);
}

void large_after_fork(void)
{
    for (struct region *r = large_space.all; r; r = r->next) {
        for (unsigned unit = 1; unit < REGION_UNITS; unit++) {
            char *p = (char *)r + ((size_t)unit << UNIT_LG);
            uint8_t mark = mark_get(mark_of(p));

            /* The mark of a free run's start outlasts it, until the unit is used again. */
            if (mark && !(mark & MARK_LIVE) && r->used[unit / 64] >> unit % 64 & 1)
                give(p);
        }
    }
}
