#include "vg_blocks.h"

#if HAK_VALGRIND
#include <valgrind/valgrind.h>

#include "config.h"
#include "os.h"
#include "trace.h"
#include "vg.h"

struct entry {
    uintptr_t key; /* the complement of its address; 0: free */
    vg_extent extent;
};

/* Open addressing, linear probing, at most half full. */
struct table {
    struct entry *at;
    size_t mask, count;
};

/* First in, first out; a ring. */
struct queue {
    struct entry *at;
    size_t mask, first, count;
};

#define SPARE_MAX 256

/* What of it is read on Valgrind's CPU is read in sections: all of it is hidden. Sizes and counts,
 * too, are numbers such as blocks have for addresses, and would hide leaks. */
static struct {
    struct table live;
    struct queue waiting;
    size_t waiting_bytes;
    uintptr_t spare[CLASSES][SPARE_MAX]; /* complements of the starts */
    uint32_t spares[CLASSES];
} blocks;

#define FIRST_ROOM (os_page() / sizeof(struct entry))

/* ---- on the real CPU ----
 *
 * Called by Valgrind with the number of its thread. There is no thread-local storage here, and
 * nothing may call the system or take longer than a moment. Where there is no room the answer is
 * NO_ROOM, and the caller makes some. */

#define NO_ROOM UINTPTR_MAX

static size_t home(const struct table *t, uintptr_t key)
{
    return (size_t)(key * 0x9e3779b97f4a7c15u >> 32) & t->mask;
}

/* Where key is, or would be put. */
static struct entry *place(const struct table *t, uintptr_t key)
{
    size_t i = home(t, key);

    while (t->at[i].key && t->at[i].key != key)
        i = (i + 1) & t->mask;
    return &t->at[i];
}

static uintptr_t add(uintptr_t thread, uintptr_t p, vg_extent e)
{
    struct table *t = &blocks.live;
    struct entry *at;

    (void)thread;
    if (t->count * 2 >= t->mask)
        return NO_ROOM;
    at = place(t, ~p);
    /* A block that Valgrind's operator delete has freed is still here, but not given twice. */
    t->count += !at->key;
    *at = (struct entry){~p, e};
    return 0;
}

static uintptr_t find(uintptr_t thread, uintptr_t p)
{
    struct table *t = &blocks.live;
    struct entry *at = t->at ? place(t, ~p) : NULL;

    (void)thread;
    return at && at->key ? at->extent : 0;
}

static void take_out(struct table *t, struct entry *at)
{
    size_t gap = (size_t)(at - t->at);

    /* Closes the gap for those whose way leads over it. */
    for (size_t i = (gap + 1) & t->mask; t->at[i].key; i = (i + 1) & t->mask) {
        if (((i - home(t, t->at[i].key)) & t->mask) >= ((i - gap) & t->mask)) {
            t->at[gap] = t->at[i];
            gap = i;
        }
    }
    t->at[gap].key = 0;
    t->count--;
}

static uintptr_t spare(uintptr_t thread, uintptr_t start, uintptr_t cls)
{
    (void)thread;
    if (blocks.spares[cls] == SPARE_MAX)
        return NO_ROOM;
    blocks.spare[cls][blocks.spares[cls]++] = ~start;
    return 0;
}

static uintptr_t reuse(uintptr_t thread, size_t size, size_t *known)
{
    uintptr_t p;
    unsigned cls;

    *known = size;
    if (size > config.memcheck_slabs || trace_attached())
        return 0;
    cls = class_of(size + 2 * VG_RED_ZONE);
    if (!blocks.spares[cls])
        return 0;
    p = ~blocks.spare[cls][blocks.spares[cls] - 1] + VG_RED_ZONE;
    if (add(thread, p, vg_extent_make(size, VG_RED_ZONE, cls)) == NO_ROOM)
        return 0;
    blocks.spares[cls]--;
    return p;
}

static void drop_first(void)
{
    struct queue *q = &blocks.waiting;

    blocks.waiting_bytes -= vg_extent_size(q->at[q->first].extent);
    q->first = (q->first + 1) & q->mask;
    q->count--;
}

/* Lets go of the block that is next, unless there are spare ones of its class enough. */
static bool let_go(uintptr_t thread)
{
    const struct entry *e = &blocks.waiting.at[blocks.waiting.first];

    if (spare(thread, ~e->key - vg_extent_lead(e->extent), vg_extent_cls(e->extent)) == NO_ROOM)
        return false;
    drop_first();
    return true;
}

static bool too_many_wait(void)
{
    return blocks.waiting_bytes > config.quarantine;
}

static uintptr_t waited(uintptr_t thread)
{
    while (too_many_wait()) {
        struct entry e = blocks.waiting.at[blocks.waiting.first];

        if (!let_go(thread)) {
            drop_first();
            return ~e.key - vg_extent_lead(e.extent);
        }
    }
    return 0;
}

static uintptr_t retire(uintptr_t thread, uintptr_t p)
{
    struct table *t = &blocks.live;
    struct entry *at = t->at ? place(t, ~p) : NULL;
    struct queue *q = &blocks.waiting;
    struct entry e;

    if (!at || !at->key)
        return 0;
    e = *at;
    if (!q->at || q->count > q->mask)
        return NO_ROOM;
    /* Memcheck hears of this one's end after this call: it must not be given away within it. */
    while (too_many_wait() && let_go(thread))
        ;
    take_out(t, at);
    q->at[(q->first + q->count++) & q->mask] = e;
    blocks.waiting_bytes += vg_extent_size(e.extent);
    return e.extent | (too_many_wait() ? VG_OTHERS_GO : 0);
}

/* Without waiting: nobody will ever have it again. */
static uintptr_t forget(uintptr_t thread, uintptr_t p)
{
    struct entry *at = place(&blocks.live, ~p);
    vg_extent e = at->extent;

    (void)thread;
    take_out(&blocks.live, at);
    return e;
}

/* Moves to an array of room entries, more than before; the old array is returned. */
static uintptr_t widen_table(uintptr_t thread, uintptr_t at, uintptr_t room)
{
    struct table *t = &blocks.live, old = *t;

    (void)thread;
    *t = (struct table){(struct entry *)at, room - 1, old.count};
    for (size_t i = 0; old.at && i <= old.mask; i++)
        if (old.at[i].key)
            *place(t, old.at[i].key) = old.at[i];
    return (uintptr_t)old.at;
}

static uintptr_t widen_queue(uintptr_t thread, uintptr_t at, uintptr_t room)
{
    struct queue *q = &blocks.waiting, old = *q;

    (void)thread;
    *q = (struct queue){(struct entry *)at, room - 1, 0, old.count};
    for (size_t i = 0; i < old.count; i++)
        q->at[i] = old.at[(old.first + i) & old.mask];
    return (uintptr_t)old.at;
}

/* ---- on Valgrind's ---- */

static size_t wider(const struct entry *at, size_t mask)
{
    return at ? (mask + 1) * 2 : FIRST_ROOM;
}

/* Room for so many entries; NULL if there is no memory. */
static struct entry *wider_array(size_t room)
{
    struct entry *at = os_map(room * sizeof(*at));

    if (at)
        vg_hide(at, room * sizeof(*at));
    return at;
}

static void unmap(uintptr_t at, size_t room)
{
    if (at)
        (void)os_unmap((void *)at, room * sizeof(struct entry));
}

static bool grow_table(void)
{
    size_t room = wider(blocks.live.at, blocks.live.mask);
    struct entry *at = wider_array(room);

    if (!at)
        return false;
    /* Another thread may have been here meanwhile. */
    if (room > blocks.live.mask + 1)
        unmap(VALGRIND_NON_SIMD_CALL2(widen_table, at, room), room / 2);
    else
        unmap((uintptr_t)at, room);
    return true;
}

static bool grow_queue(void)
{
    size_t room = wider(blocks.waiting.at, blocks.waiting.mask);
    struct entry *at = wider_array(room);

    if (!at)
        return false;
    if (room > blocks.waiting.mask + 1)
        unmap(VALGRIND_NON_SIMD_CALL2(widen_queue, at, room), room / 2);
    else
        unmap((uintptr_t)at, room);
    return true;
}

static bool grow(bool (*what)(void))
{
    bool done;

    vg_enter();
    vg_hide(&blocks, sizeof(blocks));
    done = what();
    vg_leave();
    return done;
}

bool vg_blocks_add(const void *p, vg_extent e)
{
    while (VALGRIND_NON_SIMD_CALL2(add, p, e) == NO_ROOM)
        if (!grow(grow_table))
            return false;
    return true;
}

vg_extent vg_blocks_find(const void *p)
{
    return VALGRIND_NON_SIMD_CALL1(find, p);
}

vg_extent vg_blocks_retire(const void *p)
{
    vg_extent e;

    while (unlikely((e = VALGRIND_NON_SIMD_CALL1(retire, p)) == NO_ROOM))
        if (!grow(grow_queue))
            return VALGRIND_NON_SIMD_CALL1(forget, p);
    return e;
}

void *vg_blocks_waited(void)
{
    return (void *)(uintptr_t)VALGRIND_NON_SIMD_CALL0(waited);
}

void *vg_blocks_reuse(size_t size, size_t *known)
{
    return (void *)(uintptr_t)VALGRIND_NON_SIMD_CALL2(reuse, size, known);
}

bool vg_blocks_spare(const void *start, unsigned cls)
{
    return VALGRIND_NON_SIMD_CALL2(spare, start, cls) == 0;
}
#endif
