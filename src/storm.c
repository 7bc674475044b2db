#include "storm.h"

#include "config.h"
#include "listener.h"
#include "os.h"

#if HAK_TRACE

#include <stddef.h>
#include <string.h>

/* So often one more of a kind may be told singly. */
#define ONE_MORE_NS 50000000u
/* A sum is told after this time, the next one of its kind after twice as long. */
#define GAP_LEAST_NS 10000000u
#define GAP_MOST_NS 250000000u
/* What has not been added to for so long is told, and its place given up after a while. */
#define OVER_NS 100000000u
#define FORGET_NS 1000000000u
#define SUMS 64u
#define LEGACY_CLASSES (CLASSES + 1u)
#define LEGACY_WHYS (HAK_WHY_NEAR_LIMIT + 1u)

/* How many of a kind have been told singly, less what time has made good since. */
struct bucket {
    uint64_t at;
    uint32_t spent;
};

/* What is added up together. what: the event and its labels; how: what the stages answered. */
struct key {
    uint64_t what;
    uint64_t who;
    uint64_t how;
};

struct sum {
    enum hak_event event; /* 0, which is no sum: the place is free */
    struct key key;
    uint64_t count; /* not yet told */
    uint64_t first, last, gap;
    union {
        /* Which each of them begins with. */
        struct {
            uint64_t count, first_ago, last_ago;
        } sum;
        struct hak_ev_shared_fail_sum shared_fail;
        struct hak_ev_legacy_alloc_sum legacy_alloc;
        struct hak_ev_ace_fail_sum ace_fail;
        struct hak_ev_oom_sum oom;
    } told;
};

_Static_assert(offsetof(struct hak_ev_shared_fail_sum, cls) == 24 &&
                   offsetof(struct hak_ev_legacy_alloc_sum, cls) == 24 &&
                   offsetof(struct hak_ev_ace_fail_sum, layer) == 24 &&
                   offsetof(struct hak_ev_oom_sum, err) == 24,
               "sums begin with count, first_ago and last_ago");

static struct {
    struct lock lock;
    struct bucket shared_fail[CLASSES][HAK_FAIL_MAP_FAIL + 1];
    struct bucket legacy_alloc[LEGACY_CLASSES][HAK_SYSTEM_MALLOC + 1][LEGACY_WHYS];
    struct bucket ace_fail[HAK_HUGE + 1][HAK_MAP_FAIL_OS + 1];
    struct bucket oom;
    struct sum sum[SUMS];
    unsigned used; /* places from here on were never taken */
} storm;

/* Of a class: refusals have been added up lately. */
static _Atomic bool expected[CLASSES];

bool storm_expected(unsigned cls)
{
    return atomic_load_explicit(&expected[cls], memory_order_relaxed);
}

/* ---- one by one ---- */

static bool may_tell(struct bucket *b, uint64_t now)
{
    uint64_t more = (now - b->at) / ONE_MORE_NS;

    if (more) {
        b->spent -= more < b->spent ? (uint32_t)more : b->spent;
        b->at += more * ONE_MORE_NS;
    }
    if (b->spent >= (uint64_t)config.tell_singly)
        return false;
    b->spent++;
    return true;
}

/* ---- sums ---- */

/* Fills in what is known when a sum is told, and makes room for the next of its key. Under the
 * lock; the copy is emitted without it. */
static void close_sum(struct sum *s, uint64_t now, struct sum *copy)
{
    *copy = *s;
    copy->told.sum.count = s->count;
    copy->told.sum.first_ago = now - s->first;
    copy->told.sum.last_ago = now - s->last;
    s->count = 0;
    s->gap = s->gap * 2 < GAP_MOST_NS ? s->gap * 2 : GAP_MOST_NS;
}

static void emit(const struct sum *copy)
{
    if (copy->count)
        listener_emit(copy->event, &copy->told, sizeof(copy->told));
}

/* The place of a key. Where all are taken, that of the sum that waits for longest, which is told:
 * evicted. */
static struct sum *place_of(enum hak_event event, const struct key *key, uint64_t now,
                            struct sum *evicted)
{
    struct sum *s, *free = NULL, *oldest = &storm.sum[0];

    for (unsigned i = 0; i < storm.used; i++) {
        s = &storm.sum[i];
        if (s->event == event && memcmp(&s->key, key, sizeof(*key)) == 0)
            return s;
        if (!s->event)
            free = s;
        if (s->first < oldest->first)
            oldest = s;
    }
    s = free ? free : storm.used < SUMS ? &storm.sum[storm.used++] : oldest;
    if (s->event && s->count)
        close_sum(s, now, evicted);
    *s = (struct sum){.event = event, .key = *key, .gap = GAP_LEAST_NS};
    return s;
}

/* One more of the key: what is told of the sum so far is to be brought up to date. fresh: it is the
 * first of its sum. */
static struct sum *add(enum hak_event event, const struct key *key, uint64_t now, bool *fresh,
                       struct sum *evicted)
{
    struct sum *s = place_of(event, key, now, evicted);

    *fresh = s->count++ == 0;
    if (*fresh) {
        s->first = now;
        memset(&s->told, 0, sizeof(s->told));
    }
    s->last = now;
    return s;
}

static bool is_due(const struct sum *s, uint64_t now)
{
    return s->count && now - s->first >= s->gap;
}

/* Is the event to be added up? Then the lock is taken, and let_go() is to follow. */
static bool holds_back(enum hak_event sum, struct bucket *b, uint64_t now)
{
    if (!config.tell_singly || trace_inside || lost() || !listener_wants(sum) ||
        !lost_take(&storm.lock))
        return false;
    if (!may_tell(b, now))
        return true;
    lock_give(&storm.lock);
    return false;
}

static void let_go(struct sum *s, uint64_t now, const struct sum *evicted)
{
    struct sum due = {.count = 0};

    if (is_due(s, now))
        close_sum(s, now, &due);
    lock_give(&storm.lock);
    emit(evicted);
    emit(&due);
}

/* ---- the kinds ---- */

static void add_steps(struct hak_ev_shared_fail_sum *t, const struct trace_acquire *steps)
{
    const struct trace_step *step = steps->step;

    t->o_0_5 = step[HAK_STAGE_0_5].outcome;
    t->o_1 = step[HAK_STAGE_1].outcome;
    t->o_2 = step[HAK_STAGE_2].outcome;
    t->o_adopt = step[HAK_ADOPT].outcome;
    t->o_rebind = step[HAK_REBIND].outcome;
    t->o_3 = step[HAK_STAGE_3].outcome;
    t->scanned_0_5 += step[HAK_STAGE_0_5].scanned;
    t->scanned_1 += step[HAK_STAGE_1].scanned;
    t->scanned_2 += step[HAK_STAGE_2].scanned;
    t->scanned_adopt += step[HAK_ADOPT].scanned;
    t->scanned_rebind += step[HAK_REBIND].scanned;
    t->scanned_3 += step[HAK_STAGE_3].scanned;
    t->ns_0_5 += step[HAK_STAGE_0_5].ns;
    t->ns_1 += step[HAK_STAGE_1].ns;
    t->ns_2 += step[HAK_STAGE_2].ns;
    t->ns_adopt += step[HAK_ADOPT].ns;
    t->ns_rebind += step[HAK_REBIND].ns;
    t->ns_3 += step[HAK_STAGE_3].ns;
}

static uint64_t answers(const struct trace_acquire *steps)
{
    uint64_t all = 0;

    for (unsigned i = 0; i < TRACE_STEPS; i++)
        all = all << 8 | steps->step[i].outcome;
    return all;
}

static void add_shared_fail(struct sum *s, bool fresh, const struct hak_ev_shared_fail *e,
                            const struct trace_acquire *steps)
{
    struct hak_ev_shared_fail_sum *t = &s->told.shared_fail;

    t->cls = e->cls;
    t->owner = e->owner;
    t->reason = e->reason;
    t->forgotten += hak_slabs_matter(e->unmarked, e->active);
    t->unlisted += hak_slabs_matter(e->marked, e->active);
    if (fresh || e->listed + e->marked + e->unmarked > t->listed + t->marked + t->unmarked) {
        t->active = e->active;
        t->cap = e->cap;
        t->listed = e->listed;
        t->marked = e->marked;
        t->beyond = e->beyond;
        t->unmarked = e->unmarked;
    }
    add_steps(t, steps);
}

bool storm_shared_fail(const struct hak_ev_shared_fail *e, const struct trace_acquire *steps)
{
    struct bucket *b = &storm.shared_fail[e->cls][e->reason];
    struct key key = {e->cls | e->reason << 8, e->owner, steps ? answers(steps) : 0};
    struct sum evicted = {.count = 0}, *s;
    uint64_t now = os_now_ns();
    bool fresh;

    if (!holds_back(HAK_EV_shared_fail_sum, b, now))
        return true;
    atomic_store_explicit(&expected[e->cls], true, memory_order_relaxed);
    /* An acquire is told, or added up, as a whole. */
    if (!steps) {
        lock_give(&storm.lock);
        return true;
    }
    s = add(HAK_EV_shared_fail_sum, &key, now, &fresh, &evicted);
    add_shared_fail(s, fresh, e, steps);
    let_go(s, now, &evicted);
    return false;
}

bool storm_legacy_alloc(const struct hak_ev_legacy_alloc *e)
{
    unsigned cls = e->cls < CLASSES ? e->cls : CLASSES;
    struct bucket *b = &storm.legacy_alloc[cls][e->source][e->why];
    struct key key = {e->cls | e->source << 8 | e->why << 16, 0, 0};
    struct sum evicted = {.count = 0}, *s;
    uint64_t now = os_now_ns();
    bool fresh;

    if (!holds_back(HAK_EV_legacy_alloc_sum, b, now))
        return true;
    s = add(HAK_EV_legacy_alloc_sum, &key, now, &fresh, &evicted);
    s->told.legacy_alloc.cls = e->cls;
    s->told.legacy_alloc.source = e->source;
    s->told.legacy_alloc.why = e->why;
    s->told.legacy_alloc.bytes += e->size;
    let_go(s, now, &evicted);
    return false;
}

/* Sizes above one power of two and up to the next are added up together. */
static unsigned band(uint64_t size)
{
    return size > 1 ? 64u - (unsigned)__builtin_clzll(size - 1) : 0;
}

static void stretch(uint64_t *smallest, uint64_t *largest, uint64_t size, bool fresh)
{
    if (fresh || size < *smallest)
        *smallest = size;
    if (size > *largest)
        *largest = size;
}

static void add_ace_fail(struct hak_ev_ace_fail_sum *t, bool fresh, const struct hak_ev_ace_fail *e)
{
    t->layer = e->layer;
    t->reason = e->reason;
    t->err = e->err;
    stretch(&t->smallest, &t->largest, e->size, fresh);
    t->bytes += e->size > e->class_size ? e->size : e->class_size;
    /* class_size / size is more than class_size / class_of so far. */
    if (fresh || (unsigned __int128)e->class_size * t->class_of >
                     (unsigned __int128)t->class_size * e->size) {
        t->class_size = e->class_size;
        t->class_of = e->size;
    }
    if (fresh || e->used > t->used) {
        t->used = e->used;
        t->limit = e->limit;
    }
}

bool storm_ace_fail(const struct hak_ev_ace_fail *e)
{
    struct bucket *b = &storm.ace_fail[e->layer][e->reason];
    struct key key = {e->layer | e->reason << 8 | band(e->size) << 16, (uint32_t)e->err, 0};
    struct sum evicted = {.count = 0}, *s;
    uint64_t now = os_now_ns();
    bool fresh;

    if (!holds_back(HAK_EV_ace_fail_sum, b, now))
        return true;
    s = add(HAK_EV_ace_fail_sum, &key, now, &fresh, &evicted);
    add_ace_fail(&s->told.ace_fail, fresh, e);
    let_go(s, now, &evicted);
    return false;
}

bool storm_oom(const struct hak_ev_oom *e)
{
    struct key key = {(uint32_t)e->err, band(e->size), 0};
    struct sum evicted = {.count = 0}, *s;
    uint64_t now = os_now_ns();
    bool fresh;

    if (!holds_back(HAK_EV_oom_sum, &storm.oom, now))
        return true;
    s = add(HAK_EV_oom_sum, &key, now, &fresh, &evicted);
    s->told.oom.err = e->err;
    stretch(&s->told.oom.smallest, &s->told.oom.largest, e->size, fresh);
    let_go(s, now, &evicted);
    return false;
}

/* ---- what is left over ---- */

void storm_tell(bool all)
{
    if (trace_inside || lost())
        return;
    for (unsigned i = 0; i < SUMS; i++) {
        struct sum due = {.count = 0}, *s = &storm.sum[i];
        uint64_t now = os_now_ns();

        if (!lost_take(&storm.lock))
            return;
        if (i >= storm.used) {
            lock_give(&storm.lock);
            return;
        }
        if (s->count && (all || is_due(s, now) || now - s->last >= OVER_NS))
            close_sum(s, now, &due);
        else if (s->event && !s->count && now - s->last >= FORGET_NS)
            s->event = 0;
        lock_give(&storm.lock);
        emit(&due);
    }
}

void storm_fork(enum fork_step step)
{
    if (step == FORK_CHILD) {
        memset(storm.sum, 0, sizeof(storm.sum));
        storm.used = 0;
    }
    (void)lost_step(&storm.lock, step);
}

#endif
