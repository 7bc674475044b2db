#include "ace_space.h"

#include <errno.h>
#include <string.h>

#include "ace_units.h"
#include "guard.h"
#include "misuse.h"
#include "os.h"

/* After a refused map so many are refused unasked: at a limit every request comes here, and each
 * would cost system calls that fail. */
#define REFUSALS 32
/* Ticks after which a region that is all free and clean is unmapped. */
#define IDLE_TICKS 2

/* ---- buckets ---- */

static unsigned longest_run(const struct region *r)
{
    unsigned longest = 0;

    for (unsigned at = next_unit(r->used, 0, false); at < REGION_UNITS;) {
        unsigned end = next_unit(r->used, at, true);

        if (end - at > longest)
            longest = end - at;
        at = next_unit(r->used, end, false);
    }
    return longest;
}

/* The first bucket in which every region has a run of n units, n <= 256. */
static unsigned bucket_for(unsigned n)
{
    return n > LARGE_MAX >> UNIT_LG ? SPACE_BUCKETS - 1 : large_class((size_t)n << UNIT_LG) + 1;
}

static unsigned bucket_of(unsigned longest)
{
    unsigned b;

    if (longest >= 256)
        return SPACE_BUCKETS - 1;
    if (longest >= LARGE_MAX >> UNIT_LG)
        return SPACE_BUCKETS - 2;
    b = bucket_for(longest);
    return large_stride(b - 1) >> UNIT_LG > longest ? b - 1 : b;
}

static void bucket_add(struct space *sp, struct region *r)
{
    unsigned b = bucket_of(r->longest);

    r->peer_prev = NULL;
    r->peer_next = sp->bucket[b];
    if (r->peer_next)
        r->peer_next->peer_prev = r;
    sp->bucket[b] = r;
    sp->filled |= 1u << b;
}

static void bucket_remove(struct space *sp, struct region *r)
{
    unsigned b = bucket_of(r->longest);

    if (unlikely((r->peer_next && r->peer_next->peer_prev != r) ||
                 (r->peer_prev ? r->peer_prev->peer_next : sp->bucket[b]) != r))
        misuse_records_overwritten(r);
    if (r->peer_next)
        r->peer_next->peer_prev = r->peer_prev;
    if (r->peer_prev)
        r->peer_prev->peer_next = r->peer_next;
    else if (!(sp->bucket[b] = r->peer_next))
        sp->filled &= ~(1u << b);
}

static void set_longest(struct space *sp, struct region *r, unsigned longest)
{
    if (bucket_of(longest) == bucket_of(r->longest)) {
        r->longest = (uint16_t)longest;
        return;
    }
    bucket_remove(sp, r);
    r->longest = (uint16_t)longest;
    bucket_add(sp, r);
}

#ifdef HAK_DEBUG
static bool in_bucket(const struct space *sp, const struct region *r)
{
    const struct region *at = sp->bucket[bucket_of(r->longest)];

    while (at && at != r)
        at = at->peer_next;
    return at == r;
}

void region_check(const struct space *sp, const struct region *r)
{
    unsigned dirty = 0;

    for (unsigned w = 0; w < REGION_WORDS; w++) {
        hak_assert(!(r->old[w] & ~r->dirty[w]));
        dirty += (unsigned)__builtin_popcountl(r->dirty[w] & ~r->used[w]);
    }
    hak_assert(count_units(r->used, 0, sp->reserved) == sp->reserved);
    hak_assert(r->free == REGION_UNITS - count_units(r->used, 0, REGION_UNITS));
    hak_assert(r->longest == longest_run(r));
    hak_assert(r->refused <= dirty);
    hak_assert(sp->filled >> bucket_of(r->longest) & 1);
    hak_assert(pagemap_lookup(r) == sp->kind);
}

void space_check(const struct space *sp)
{
    uint32_t whole = 0, dirty = 0, refused = 0;
    uint64_t mapped = 0;

    for (const struct region *r = sp->all; r; r = r->next) {
        region_check(sp, r);
        hak_assert(in_bucket(sp, r));
        whole += r->free == REGION_UNITS - sp->reserved;
        for (unsigned w = 0; w < REGION_WORDS; w++)
            dirty += (uint32_t)__builtin_popcountl(r->dirty[w] & ~r->used[w]);
        refused += r->refused;
        mapped += REGION_SIZE;
    }
    hak_assert(sp->whole == whole);
    hak_assert(sp->dirty_free == dirty);
    hak_assert(sp->refused == refused);
    hak_assert(sp->mapped == mapped);
    hak_assert(sp->used <= sp->mapped && sp->used <= sp->peak);
    hak_assert(!sp->blocks == !sp->used);
    for (unsigned b = 0; b < SPACE_BUCKETS; b++)
        hak_assert((sp->bucket[b] != NULL) == (sp->filled >> b & 1));
}
#endif

/* ---- runs ---- */

static bool is_whole(const struct space *sp, const struct region *r)
{
    return r->free == REGION_UNITS - sp->reserved;
}

/* n free units of r are dirty for good, as far as is known. */
static void set_refused(struct space *sp, struct region *r, unsigned n)
{
    sp->refused += n - r->refused;
    r->refused = (uint16_t)n;
}

/* Marks n free units at at used; had: length of the free run they were in. */
static void occupy(struct space *sp, struct region *r, unsigned at, unsigned n, unsigned had)
{
    sp->whole -= is_whole(sp, r);
    sp->dirty_free -= count_units(r->dirty, at, n);
    set_units(r->used, at, n);
    set_units(r->dirty, at, n);
    clear_units(r->old, at, n);
    r->free = (uint16_t)(r->free - n);
    r->idle = 0;
    set_refused(sp, r, 0);
    if (had == r->longest)
        set_longest(sp, r, longest_run(r));
}

void *space_take(struct space *sp, unsigned n, unsigned step, bool *clean)
{
    /* A run so long has n units at a multiple of step somewhere. */
    unsigned enough = n + step - 1;
    uint32_t filled = sp->filled >> bucket_for(enough) << bucket_for(enough);
    struct region *r;
    unsigned at = 0, end, aligned;

    if (!filled)
        return NULL;
    /* The region with the least room: what is almost empty may become so. */
    r = sp->bucket[__builtin_ctz(filled)];
    for (end = 0;;) {
        at = next_unit(r->used, end, false);
        end = next_unit(r->used, at, true);
        aligned = (unsigned)align_up(at, step);
        if (aligned + n <= end)
            break;
    }
    *clean = count_units(r->dirty, aligned, n) == 0;
    occupy(sp, r, aligned, n, end - at);
    hak_check(region_check(sp, r));
    return (char *)r + ((size_t)aligned << UNIT_LG);
}

void space_give(struct space *sp, void *p, unsigned n)
{
    struct region *r = region_of(p);
    unsigned at = unit_of(p), run;

    clear_units(r->used, at, n);
    r->free = (uint16_t)(r->free + n);
    sp->dirty_free += n;
    sp->whole += is_whole(sp, r);
    run = next_unit(r->used, at, true) - run_start(r->used, at);
    if (run > r->longest)
        set_longest(sp, r, run);
    hak_check(region_check(sp, r));
}

bool space_extend(struct space *sp, void *p, unsigned n, unsigned more)
{
    struct region *r = region_of(p);
    unsigned at = unit_of(p) + n, end;

    if (at + more > REGION_UNITS)
        return false;
    end = next_unit(r->used, at, true);
    if (end - at < more)
        return false;
    occupy(sp, r, at, more, end - at);
    hak_check(region_check(sp, r));
    return true;
}

void space_count(struct space *sp, size_t stride, unsigned n)
{
    sp->used += stride * n;
    sp->blocks += n;
    if (sp->used > sp->peak)
        sp->peak = sp->used;
}

void space_uncount(struct space *sp, size_t stride, unsigned n)
{
    sp->used -= stride * n;
    sp->blocks -= n;
}

/* ---- regions ---- */

static void link_region(struct space *sp, struct region *r)
{
    r->prev = NULL;
    r->next = sp->all;
    if (r->next)
        r->next->prev = r;
    sp->all = r;
    sp->mapped += REGION_SIZE;
    sp->whole += is_whole(sp, r);
    bucket_add(sp, r);
}

static void unlink_region(struct space *sp, struct region *r)
{
    if (unlikely((r->next && r->next->prev != r) || (r->prev ? r->prev->next : sp->all) != r))
        misuse_records_overwritten(r);
    if (r->next)
        r->next->prev = r->prev;
    if (r->prev)
        r->prev->next = r->next;
    else
        sp->all = r->next;
    set_refused(sp, r, 0);
    sp->mapped -= REGION_SIZE;
    sp->whole -= is_whole(sp, r);
    bucket_remove(sp, r);
}

bool space_grow(struct space *sp, struct space_news *news)
{
    uint64_t began;
    struct region *r;
    bool guarded;

    if (sp->refuse) {
        sp->refuse--;
        news->unasked = true;
        errno = sp->refuse_errno;
        return false;
    }
    began = trace_clock(HAK_EV_ace_map);
    r = guard_map(REGION_SIZE, REGION_SIZE, &guarded);
    if (r && !pagemap_set(r, REGION_SIZE, sp->kind)) {
        (void)guard_unmap(r, REGION_SIZE, guarded);
        r = NULL;
    }
    if (!r) {
        sp->refuse = REFUSALS;
        sp->refuse_errno = errno;
        return false;
    }
    r->guarded = guarded;
    set_units(r->used, 0, sp->reserved);
    r->longest = r->free = (uint16_t)(REGION_UNITS - sp->reserved);
    link_region(sp, r);
    hak_check(space_check(sp));
    *news = (struct space_news){r, sp->mapped, began ? os_now_ns() - began : 0, false};
    return true;
}

void space_tell(const struct space *sp, const struct space_news *news)
{
    if (news->region)
        trace_ace_map(news->region, REGION_SIZE, sp->layer, news->mapped, news->ns);
}

/* ---- giving memory back ---- */

/* Marks used, so that nobody takes them meanwhile, the units of r that may be purged: their map in
 * claimed. Returns how many. */
static unsigned claim(struct space *sp, struct region *r, bool all, unsigned most,
                      uint64_t claimed[REGION_WORDS], uint64_t *mapped)
{
    unsigned n = 0;

    lock_take(&sp->lock);
    for (unsigned w = 0; w < REGION_WORDS; w++) {
        uint64_t candidates = ~r->used[w] & r->dirty[w];

        claimed[w] = n < most ? candidates & (all ? ~(uint64_t)0 : r->old[w]) : 0;
        r->old[w] = candidates;
        r->used[w] |= claimed[w];
        n += (unsigned)__builtin_popcountl(claimed[w]);
    }
    if (n) {
        sp->whole -= is_whole(sp, r);
        r->free = (uint16_t)(r->free - n);
        sp->dirty_free -= n;
        set_refused(sp, r, 0);
        set_longest(sp, r, longest_run(r));
    }
    hak_check(region_check(sp, r));
    *mapped = sp->mapped;
    lock_give(&sp->lock);
    return n;
}

/* The n claimed units are free again, and those that went, as many as are in gone, are clean. */
static void unclaim(struct space *sp, struct region *r, unsigned n, unsigned went,
                    const uint64_t claimed[REGION_WORDS], const uint64_t gone[REGION_WORDS])
{
    lock_take(&sp->lock);
    for (unsigned w = 0; w < REGION_WORDS; w++) {
        r->used[w] &= ~claimed[w];
        r->dirty[w] &= ~gone[w];
        r->old[w] &= ~gone[w];
    }
    r->free = (uint16_t)(r->free + n);
    sp->dirty_free += n - went;
    set_refused(sp, r, n - went);
    sp->whole += is_whole(sp, r);
    set_longest(sp, r, longest_run(r));
    hak_check(space_check(sp));
    lock_give(&sp->lock);
}

/* Purges n claimed units of r, or what of whole pages is in them; enters what went in gone. */
static unsigned purge_run(struct region *r, unsigned at, unsigned n, uint64_t gone[REGION_WORDS])
{
    unsigned step = os_page() > UNIT_SIZE ? (unsigned)(os_page() >> UNIT_LG) : 1;
    unsigned from = (unsigned)align_up(at, step), to = (at + n) & -step;

    if (to <= from ||
        !os_purge((char *)r + ((size_t)from << UNIT_LG), (size_t)(to - from) << UNIT_LG))
        return 0;
    set_units(gone, from, to - from);
    return to - from;
}

/* A run, page by page where it does not go as one, since some of it may be locked. */
static unsigned purge_units(struct region *r, unsigned at, unsigned n, uint64_t gone[REGION_WORDS])
{
    unsigned step = os_page() > UNIT_SIZE ? (unsigned)(os_page() >> UNIT_LG) : 1;
    unsigned went = purge_run(r, at, n, gone);

    if (went)
        return went;
    for (unsigned from = (unsigned)align_up(at, step); from + step <= at + n; from += step)
        went += purge_run(r, from, step, gone);
    return went;
}

/* Purges what is claimed of r; its map in gone. Returns how many units went. */
static unsigned purge(const struct space *sp, struct region *r,
                      const uint64_t claimed[REGION_WORDS], uint64_t gone[REGION_WORDS],
                      uint64_t mapped)
{
    unsigned all = 0;

    for (unsigned at = next_unit(claimed, 0, true); at < REGION_UNITS;) {
        unsigned end = next_unit(claimed, at, false), went;
        uint64_t began = trace_clock(HAK_EV_ace_purge);

        went = purge_units(r, at, end - at, gone);
        if (went)
            trace_ace_purge((char *)r + ((size_t)at << UNIT_LG), (size_t)went << UNIT_LG, sp->layer,
                            mapped, began ? os_now_ns() - began : 0);
        all += went;
        at = next_unit(claimed, end, true);
    }
    return all;
}

/* Unmaps r if it has been all free for long enough, clean as far as the kernel let it, and is not
 * the last such. */
static size_t unmap_if_idle(struct space *sp, struct region *r, bool all)
{
    uint64_t mapped;
    bool go;

    lock_take(&sp->lock);
    go = is_whole(sp, r) &&
         count_units(r->dirty, sp->reserved, REGION_UNITS - sp->reserved) == r->refused &&
         (all || (++r->idle > IDLE_TICKS && sp->whole > 1));
    if (go) {
        sp->dirty_free -= r->refused;
        unlink_region(sp, r);
    }
    hak_check(space_check(sp));
    mapped = sp->mapped;
    lock_give(&sp->lock);
    if (!go)
        return 0;
    trace_ace_unmap(r, REGION_SIZE, sp->layer, mapped, 0);
    (void)pagemap_set(r, REGION_SIZE, PAGEMAP_NONE);
    return guard_unmap(r, REGION_SIZE, r->guarded) ? REGION_SIZE : 0;
}

size_t space_tend(struct space *sp, bool all)
{
    struct region *r, *next;
    uint64_t keep, dirty;
    size_t given = 0;

    lock_take(&sp->lock);
    keep = all ? 0 : sp->used >> SPACE_CUSHION_LG;
    dirty = (uint64_t)sp->dirty_free << UNIT_LG;
    r = sp->all;
    lock_give(&sp->lock);
    /* New regions come at the front, and only we take some away. */
    for (; r; r = next) {
        uint64_t claimed[REGION_WORDS], gone[REGION_WORDS] = {0};
        uint64_t most = dirty > keep ? (dirty - keep) >> UNIT_LG : 0;
        uint64_t mapped;
        unsigned n = claim(sp, r, all, most < REGION_UNITS ? (unsigned)most : REGION_UNITS, claimed,
                           &mapped);

        next = r->next;
        if (n) {
            unsigned went = purge(sp, r, claimed, gone, mapped);

            unclaim(sp, r, n, went, claimed, gone);
            given += (size_t)went << UNIT_LG;
            dirty -= (uint64_t)went << UNIT_LG;
        }
        given += unmap_if_idle(sp, r, all);
    }
    return given;
}

void space_begin_anew(struct space *sp)
{
    sp->all = NULL;
    memset(sp->bucket, 0, sizeof(sp->bucket));
    sp->filled = sp->whole = sp->dirty_free = sp->refused = sp->refuse = 0;
    sp->used = sp->blocks = sp->mapped = 0;
}

void space_take_over(struct space *sp, struct region *r)
{
    r->free = (uint16_t)(REGION_UNITS - count_units(r->used, 0, REGION_UNITS));
    r->longest = (uint16_t)longest_run(r);
    r->idle = r->refused = 0;
    memset(r->dirty, 0xff, sizeof(r->dirty));
    memset(r->old, 0, sizeof(r->old));
    sp->dirty_free += r->free;
    /* It may have been caught while it was entered. */
    (void)pagemap_set(r, REGION_SIZE, sp->kind);
    link_region(sp, r);
    hak_check(space_check(sp));
}

bool space_has_idle(struct space *sp)
{
    bool idle;

    lock_take(&sp->lock);
    idle = (uint64_t)(sp->dirty_free - sp->refused) << UNIT_LG > sp->used >> SPACE_CUSHION_LG ||
           sp->whole > 1;
    lock_give(&sp->lock);
    return idle;
}
