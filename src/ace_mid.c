#include "ace_mid.h"

#include <errno.h>
#include <string.h>

#include "ace_mark.h"
#include "ace_units.h"
#include "config.h"
#include "misuse.h"
#include "os.h"

#define CHUNK_LG 16
#define CHUNK_UNITS (1u << (CHUNK_LG - UNIT_LG))
#define CHUNKS (REGION_UNITS / CHUNK_UNITS)
/* A mark for each place where a block of some class may start, in the units behind the first,
 * which are the chunk's that nobody gets. */
#define PLACE_LG 9
#define MARKS_AT UNIT_SIZE

struct chunk {
    struct chunk *next, *prev; /* of its class with something free */
    uint32_t free;             /* blocks that are free and in no cache */
    uint32_t dirty;            /* blocks that may not be zero */
    uint32_t purged;           /* of free, those whose pages went back */
    uint32_t refused;          /* of free, those that could not go back */
    uint32_t old;              /* of free and not purged, those that were so at the last tick */
    /* The last class it was cut for; kept while the chunk is free. */
    _Atomic uint8_t cls;
};

_Static_assert(SPACE_HEADER + CHUNKS * sizeof(struct chunk) <= UNIT_SIZE, "beside the region");
_Static_assert(MARKS_AT + (REGION_SIZE >> PLACE_LG) <= 1u << CHUNK_LG, "beside the region");

struct space mid_space = {.layer = HAK_MID,
                          .limit = &config.ace_mid_cap,
                          .kind = PAGEMAP_MID,
                          /* Chunks are aligned to their size. */
                          .reserved = CHUNK_UNITS};

static struct {
    struct chunk *partial[MID_CLASSES]; /* chunks of each class with something free */
    uint64_t unpurged;                  /* bytes of their free blocks that are not purged */
    uint64_t refused;                   /* of those, what could not go back */
} mid;

static struct chunk *chunk_of(const void *p)
{
    uintptr_t first = (uintptr_t)region_of(p) + SPACE_HEADER;

    return (struct chunk *)first + (((uintptr_t)p & (REGION_SIZE - 1)) >> CHUNK_LG);
}

static ace_mark *mark_of(const void *p)
{
    uintptr_t first = (uintptr_t)region_of(p) + MARKS_AT;

    return (ace_mark *)first + (((uintptr_t)p & (REGION_SIZE - 1)) >> PLACE_LG);
}

static char *chunk_base(const void *p)
{
    return (char *)((uintptr_t)p & -((uintptr_t)1 << CHUNK_LG));
}

static unsigned chunk_cls(const struct chunk *c)
{
    return atomic_load_explicit(&c->cls, memory_order_relaxed);
}

static unsigned capacity(unsigned cls)
{
    return (1u << CHUNK_LG) / (unsigned)mid_stride(cls);
}

/* The number of the block of c that p lies in; past the last one it is the capacity or more. */
static unsigned block_no(const struct chunk *c, const void *p)
{
    return (uint32_t)((uintptr_t)p & ((1u << CHUNK_LG) - 1)) / (uint32_t)mid_stride(chunk_cls(c));
}

static void *block_at(char *base, unsigned cls, unsigned no)
{
    return base + no * mid_stride(cls);
}

static uint64_t unpurged(const struct chunk *c)
{
    return (unsigned)__builtin_popcount(c->free & ~c->purged) * mid_stride(chunk_cls(c));
}

static uint64_t refused(const struct chunk *c)
{
    return (unsigned)__builtin_popcount(c->free & c->refused) * mid_stride(chunk_cls(c));
}

static void count_free(const struct chunk *c)
{
    mid.unpurged += unpurged(c);
    mid.refused += refused(c);
}

static void uncount_free(const struct chunk *c)
{
    mid.unpurged -= unpurged(c);
    mid.refused -= refused(c);
}

static void partial_add(struct chunk *c, unsigned cls)
{
    c->prev = NULL;
    c->next = mid.partial[cls];
    if (c->next)
        c->next->prev = c;
    mid.partial[cls] = c;
}

static void partial_remove(struct chunk *c, unsigned cls)
{
    if (unlikely((c->next && c->next->prev != c) ||
                 (c->prev ? c->prev->next : mid.partial[cls]) != c))
        misuse_records_overwritten(c);
    if (c->next)
        c->next->prev = c->prev;
    if (c->prev)
        c->prev->next = c->next;
    else
        mid.partial[cls] = c->next;
}

#ifdef HAK_DEBUG
static void chunk_check(const struct chunk *c)
{
    unsigned cls = chunk_cls(c);

    hak_assert(cls < MID_CLASSES);
    hak_assert(!(c->free >> capacity(cls)));
    hak_assert(!(c->purged & c->refused));
    /* All free: it would have gone back. */
    hak_assert(c->free != (1u << capacity(cls)) - 1);
}
#endif

/* A chunk for class cls; NULL if no region has one. */
static struct chunk *chunk_cut(unsigned cls)
{
    bool clean;
    void *p = space_take(&mid_space, CHUNK_UNITS, 1, &clean);
    struct chunk *c;

    if (!p)
        return NULL;
    c = chunk_of(p);
    atomic_store_explicit(&c->cls, (uint8_t)cls, memory_order_relaxed);
    c->free = (1u << capacity(cls)) - 1;
    c->dirty = clean ? 0 : c->free;
    c->purged = clean ? c->free : 0;
    c->refused = 0;
    c->old = 0;
    count_free(c);
    for (unsigned i = 0; i < 1u << (CHUNK_LG - PLACE_LG); i++)
        mark_set(&mark_of(p)[i], 0);
    partial_add(c, cls);
    return c;
}

/* Takes the lowest free block of class cls, from a chunk in use; NULL if there is none. */
static void *take_one(unsigned cls, bool *zero)
{
    struct chunk *c = mid.partial[cls];
    char *first;
    void *p;
    unsigned i;

    if (!c)
        return NULL;
    i = (unsigned)__builtin_ctz(c->free);
    *zero = !(c->dirty >> i & 1);
    mid.unpurged -= c->purged >> i & 1 ? 0 : mid_stride(cls);
    mid.refused -= c->refused >> i & 1 ? mid_stride(cls) : 0;
    c->dirty |= 1u << i;
    c->free &= c->free - 1;
    c->purged &= c->free;
    c->refused &= c->free;
    c->old &= c->free;
    if (!c->free)
        partial_remove(c, cls);
    hak_check(chunk_check(c));
    space_count(&mid_space, mid_stride(cls), 1);
    first = (char *)region_of(c);
    p = block_at(first + ((size_t)(c - chunk_of(first)) << CHUNK_LG), cls, i);
    mark_set(mark_of(p), mark_free(cls));
    return p;
}

struct ace_answer mid_take(unsigned cls, void **others, unsigned *more)
{
    struct ace_answer a = {.class_size = mid_stride(cls)};
    struct space_news news = {NULL, 0, 0, false};
    unsigned want = *more;
    bool zero;

    *more = 0;
    if (!lost_take(&mid_space.lock))
        return ace_lost(a);
    if (!space_has_room(&mid_space, a.class_size)) {
        a.reason = HAK_EXHAUSTION;
    } else if (mid.partial[cls] || chunk_cut(cls) ||
               (space_grow(&mid_space, &news) && chunk_cut(cls))) {
        a.p = take_one(cls, &a.zero);
        while (*more < want && space_has_room(&mid_space, a.class_size) &&
               (others[*more] = take_one(cls, &zero)))
            ++*more;
    } else {
        a.reason = HAK_MAP_FAIL_OS;
        a.err = errno;
        a.unasked = news.unasked;
    }
    a.used = mid_space.used;
    a.limit = *mid_space.limit;
    lock_give(&mid_space.lock);
    space_tell(&mid_space, &news);
    return a;
}

/* Adds blocks to the free ones of the chunk at base; gives the chunk back if that are all. */
static void add_free(char *base, struct chunk *c, uint32_t blocks)
{
    unsigned cls = chunk_cls(c);

    if (!c->free)
        partial_add(c, cls);
    uncount_free(c);
    c->free |= blocks;
    if (c->free == (1u << capacity(cls)) - 1) {
        partial_remove(c, cls);
        space_give(&mid_space, base, CHUNK_UNITS);
    } else {
        count_free(c);
        hak_check(chunk_check(c));
    }
}

static void give_one(void *p)
{
    struct chunk *c = chunk_of(p);

    space_uncount(&mid_space, mid_stride(chunk_cls(c)), 1);
    add_free(chunk_base(p), c, 1u << block_no(c, p));
}

void mid_give(void *const *blocks, unsigned n)
{
    /* Not live: found when the child is put in order. */
    if (!lost_take(&mid_space.lock))
        return;
    for (unsigned i = 0; i < n; i++)
        give_one(blocks[i]);
    lock_give(&mid_space.lock);
}

void mid_enliven(void *p, unsigned cls)
{
    mark_set(mark_of(p), mark_free(cls) | MARK_LIVE);
}

static unsigned chunk_no(const void *p)
{
    return (unsigned)(((uintptr_t)p & (REGION_SIZE - 1)) >> CHUNK_LG);
}

static bool at_a_place(const void *p)
{
    return !((uintptr_t)p & ((1u << PLACE_LG) - 1));
}

/* Might a block of p's chunk start at p? */
static bool is_a_start(const void *p)
{
    const struct chunk *c = chunk_of(p);
    unsigned no = block_no(c, p), cls = chunk_cls(c);

    return no < capacity(cls) && block_at(chunk_base(p), cls, no) == p;
}

static void report(const void *p, uint8_t mark)
{
    struct slab_ref ref = {(uintptr_t)region_of(p), unit_of(p), 0, CLASS_MID};

    if (mark)
        trace_double_free(ref, p);
    else
        trace_invalid_free(ref.ss, ref.slab, CLASS_MID, p,
                           !chunk_no(p)    ? HAK_IN_HEADER
                           : is_a_start(p) ? HAK_NEVER_CARVED
                                           : HAK_NOT_A_BLOCK_START);
}

int mid_unliven(void *p)
{
    uint8_t mark = 0;
    int cls = at_a_place(p) ? mark_unliven(mark_of(p), &mark) : -1;

    if (unlikely(cls < 0))
        report(p, mark);
    return cls;
}

int mid_live_class(const void *p)
{
    return at_a_place(p) ? mark_live_class(mark_of(p)) : -1;
}

/* ---- giving memory back ---- */

/* Takes free blocks of c that are due, and the free ones between them and beside them, so that
 * nobody else does while they are purged; their map. */
static uint32_t claim(struct chunk *c, bool all, uint64_t *budget)
{
    uint32_t due = c->free & ~c->purged, before, blocks = all ? due : due & c->old;
    uint64_t bytes = unpurged(c);

    c->old = due;
    if (!blocks || !*budget)
        return 0;
    do {
        before = blocks;
        blocks |= (blocks << 1 | blocks >> 1) & c->free;
    } while (blocks != before);
    uncount_free(c);
    c->free &= ~blocks;
    count_free(c);
    if (!c->free)
        partial_remove(c, chunk_cls(c));
    hak_check(chunk_check(c));
    bytes -= unpurged(c);
    *budget -= bytes < *budget ? bytes : *budget;
    return blocks;
}

/* Purges the pages that lie wholly in runs of the blocks. A run that has none, or that the kernel
 * will not take, is left out of *blocks. How many bytes went. */
static size_t purge(char *base, unsigned cls, uint32_t *blocks)
{
    size_t bytes = 0, page = os_page();

    for (uint32_t left = *blocks; left;) {
        unsigned at = (unsigned)__builtin_ctz(left);
        unsigned end = at + (unsigned)__builtin_ctz(~(left >> at));
        uint32_t run = left & ((1u << end) - 1);
        char *from = base + align_up(at * mid_stride(cls), page);
        char *to = base + (end * mid_stride(cls) & -page);
        size_t went = to > from ? os_purge(from, (size_t)(to - from)) : 0;

        if (!went)
            *blocks &= ~run;
        bytes += went;
        left &= ~run;
    }
    return bytes;
}

static bool in_use(const struct region *r, unsigned chunk)
{
    unsigned unit = chunk * CHUNK_UNITS;

    return r->used[unit / 64] >> unit % 64 & 1;
}

/* Claims what is due in the chunks of r, a map for each; true if anything. */
static bool claim_region(struct region *r, bool all, uint64_t *budget, uint32_t blocks[CHUNKS],
                         uint64_t *mapped)
{
    uint32_t any = 0;

    lock_take(&mid_space.lock);
    for (unsigned n = 1; n < CHUNKS; n++) {
        blocks[n] = in_use(r, n) ? claim(&chunk_of(r)[n], all, budget) : 0;
        any |= blocks[n];
    }
    *mapped = mid_space.mapped;
    lock_give(&mid_space.lock);
    return any != 0;
}

/* Purges what is due in the chunks of r. */
static size_t tend_region(struct region *r, bool all, uint64_t *budget)
{
    struct chunk *c = chunk_of(r);
    uint32_t claimed[CHUNKS], purged[CHUNKS];
    uint64_t began = trace_clock(HAK_EV_ace_purge), mapped;
    size_t bytes = 0;

    if (!claim_region(r, all, budget, claimed, &mapped))
        return 0;
    for (unsigned n = 1; n < CHUNKS; n++) {
        purged[n] = claimed[n];
        bytes += purge((char *)r + ((size_t)n << CHUNK_LG), chunk_cls(&c[n]), &purged[n]);
    }
    if (bytes)
        trace_ace_purge(r, bytes, HAK_MID, mapped, began ? os_now_ns() - began : 0);
    lock_take(&mid_space.lock);
    for (unsigned n = 1; n < CHUNKS; n++) {
        c[n].purged |= purged[n];
        c[n].refused = (c[n].refused | claimed[n]) & ~c[n].purged;
        if (claimed[n])
            add_free((char *)r + ((size_t)n << CHUNK_LG), &c[n], claimed[n]);
    }
    lock_give(&mid_space.lock);
    return bytes;
}

#ifdef HAK_DEBUG
/* Of all chunks, with the lock held and nothing claimed. */
static void mid_check(void)
{
    uint64_t bytes = 0, left = 0;

    for (const struct region *r = mid_space.all; r; r = r->next) {
        for (unsigned n = 1; n < CHUNKS; n++) {
            const struct chunk *c = &chunk_of(r)[n];

            if (!in_use(r, n))
                continue;
            chunk_check(c);
            hak_assert(!((c->purged | c->refused | c->old) & ~c->free));
            bytes += unpurged(c);
            left += refused(c);
        }
    }
    hak_assert(mid.unpurged == bytes);
    hak_assert(mid.refused == left);
}
#endif

size_t mid_tend(bool all)
{
    struct region *r;
    uint64_t budget, keep;
    size_t bytes = 0;

    lock_take(&mid_space.lock);
    hak_check(mid_check());
    keep = all ? 0 : mid_space.used >> SPACE_CUSHION_LG;
    budget = mid.unpurged > keep ? mid.unpurged - keep : 0;
    r = mid_space.all;
    lock_give(&mid_space.lock);
    /* New regions come at the front, and only whoever tends takes some away. */
    for (; r; r = r->next)
        bytes += tend_region(r, all, &budget);
    return bytes + space_tend(&mid_space, all);
}

uint64_t mid_unpurged(void)
{
    uint64_t bytes;

    lock_take(&mid_space.lock);
    bytes = mid.unpurged;
    lock_give(&mid_space.lock);
    return bytes;
}

bool mid_has_idle(void)
{
    bool idle;

    lock_take(&mid_space.lock);
    idle = mid.unpurged - mid.refused > mid_space.used >> SPACE_CUSHION_LG;
    lock_give(&mid_space.lock);
    return idle || space_has_idle(&mid_space);
}

static void chunk_take_over(char *base, struct chunk *c, struct region *r)
{
    unsigned cls = chunk_cls(c), n = capacity(cls);
    uint32_t live = 0;

    for (unsigned i = 0; i < n; i++)
        if (mid_live_class(block_at(base, cls, i)) >= 0)
            live |= 1u << i;
    if (!live)
        return;
    set_units(r->used, unit_of(base), CHUNK_UNITS);
    c->dirty = (1u << n) - 1;
    c->free = c->dirty & ~live;
    c->purged = c->old = 0;
    mid.unpurged += unpurged(c);
    space_count(&mid_space, mid_stride(cls), (unsigned)__builtin_popcount(live));
    if (c->free)
        partial_add(c, cls);
}

static void region_take_over(void *base, void *unused)
{
    struct region *r = base;

    (void)unused;
    memset(r->used, 0, sizeof(r->used));
    set_units(r->used, 0, mid_space.reserved);
    for (unsigned n = 1; n < CHUNKS; n++) {
        char *chunk = (char *)r + ((size_t)n << CHUNK_LG);

        chunk_take_over(chunk, chunk_of(chunk), r);
    }
    space_take_over(&mid_space, r);
}

void mid_sort_anew(void)
{
    memset(&mid, 0, sizeof(mid));
    space_begin_anew(&mid_space);
    pagemap_each(PAGEMAP_MID, REGION_SIZE, region_take_over, NULL);
}

/* Gives back what of a chunk is neither free nor live. */
static void sweep(char *base, struct chunk *c)
{
    unsigned cls = chunk_cls(c);
    uint32_t lost = ((1u << capacity(cls)) - 1) & ~c->free;

    for (; lost; lost &= lost - 1) {
        void *p = block_at(base, cls, (unsigned)__builtin_ctz(lost));

        if (mid_live_class(p) < 0)
            give_one(p);
    }
}

void mid_after_fork(void)
{
    for (struct region *r = mid_space.all; r; r = r->next) {
        for (unsigned n = 1; n < CHUNKS; n++) {
            char *base = (char *)r + ((size_t)n << CHUNK_LG);

            if (in_use(r, n))
                sweep(base, chunk_of(base));
        }
    }
}
