#include "vg_blocks.h"

#if HAK_VALGRIND
#include <valgrind/valgrind.h>

#include "config.h"
#include "os.h"
#include "tiny.h"
#include "trace.h"
#include "vg.h"

/* The extents of the blocks that the program has: an array for each slab, with a place for each
 * grain of it. Blocks that are neighbours have theirs on one cache line. */
#define GRAIN_LG 6
#define GRAINS (SLAB_SIZE >> GRAIN_LG)
_Static_assert(2 * VG_RED_ZONE >= 1 << GRAIN_LG, "one block starts in a grain, at most");

struct place {
    uintptr_t slab; /* its address, shifted: no number that hides a leak; 0: free */
    vg_extent *extents;
};

/* Open addressing, linear probing, at most half full; slabs stay. */
struct table {
    struct place *at;
    size_t mask, count;
};

struct entry {
    uintptr_t key; /* the complement of its address */
    vg_extent extent;
};

/* First in, first out; a ring. */
struct queue {
    struct entry *at;
    size_t mask, first, count;
};

/* For so many slabs at a time. */
#define ARRAYS 32u

#define SPARE_MAX 256

/* What of it is read on Valgrind's CPU is read in sections: all of it is hidden. Sizes and counts,
 * too, are numbers such as blocks have for addresses, and would hide leaks. */
static struct {
    struct table slabs;
    vg_extent *arrays; /* not used yet */
    size_t arrays_left;
    struct queue waiting;
    size_t waiting_bytes;
    uintptr_t spare[CLASSES][SPARE_MAX]; /* complements of the starts */
    uint32_t spares[CLASSES];
} blocks;

#define FIRST_ROOM (os_page() / sizeof(struct entry))
_Static_assert(sizeof(struct place) == sizeof(struct entry), "arrays of both are made by one");

/* ---- on the real CPU ----
 *
 * Called by Valgrind with the number of its thread. There is no thread-local storage here, and
 * nothing may call the system or take longer than a moment. Where there is no room the answer is
 * NO_ROOM, and the caller makes some. */

#define NO_ROOM UINTPTR_MAX

static struct place *place(const struct table *t, uintptr_t slab)
{
    size_t i = (size_t)(slab * 0x9e3779b97f4a7c15u >> 32) & t->mask;

    while (t->at[i].slab && t->at[i].slab != slab)
        i = (i + 1) & t->mask;
    return &t->at[i];
}

/* Where the extent of a block at p is, if it is one. */
static vg_extent *extent_at(uintptr_t p)
{
    const struct table *t = &blocks.slabs;
    struct place *in = t->at ? place(t, p >> SLAB_LG) : NULL;

    return in && in->slab ? &in->extents[(p & (SLAB_SIZE - 1)) >> GRAIN_LG] : NULL;
}

/* The upper bits of what is kept of a block tell where in its grain it starts. */
#define PLACE_SHIFT 58

static vg_extent placed(uintptr_t p, vg_extent e)
{
    return e | (p & ((1 << GRAIN_LG) - 1)) << PLACE_SHIFT;
}

/* The extent of the block that starts at p, 0: none does; where it is kept in *at. */
static vg_extent extent_of(uintptr_t p, vg_extent **at)
{
    vg_extent e;

    *at = extent_at(p);
    e = *at ? **at & (((vg_extent)1 << PLACE_SHIFT) - 1) : 0;
    return e && **at == placed(p, e) ? e : 0;
}

static vg_extent *begin_slab(uintptr_t slab)
{
    struct table *t = &blocks.slabs;
    struct place *in;

    if (t->count * 2 >= t->mask || !blocks.arrays_left)
        return NULL;
    in = place(t, slab);
    *in = (struct place){slab, blocks.arrays};
    t->count++;
    blocks.arrays += GRAINS;
    blocks.arrays_left--;
    return in->extents;
}

static uintptr_t add(uintptr_t thread, uintptr_t p, vg_extent e)
{
    vg_extent *at = extent_at(p);

    (void)thread;
    if (unlikely(!at)) {
        if (!begin_slab(p >> SLAB_LG))
            return NO_ROOM;
        at = extent_at(p);
    }
    /* A block that Valgrind's operator delete has freed is still here, but not given twice. */
    *at = placed(p, e);
    return 0;
}

static uintptr_t find(uintptr_t thread, uintptr_t p)
{
    vg_extent *at;

    (void)thread;
    return extent_of(p, &at);
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
    vg_extent *at, e = extent_of(p, &at);
    struct queue *q = &blocks.waiting;

    if (!e)
        return 0;
    if (!q->at || q->count > q->mask)
        return NO_ROOM;
    /* Memcheck hears of this one's end after this call: it must not be given away within it. */
    while (too_many_wait() && let_go(thread))
        ;
    *at = 0;
    q->at[(q->first + q->count++) & q->mask] = (struct entry){~p, e};
    blocks.waiting_bytes += vg_extent_size(e);
    return e | (too_many_wait() ? VG_OTHERS_GO : 0);
}

/* Without waiting: nobody will ever have it again. */
static uintptr_t forget(uintptr_t thread, uintptr_t p)
{
    vg_extent *at, e = extent_of(p, &at);

    (void)thread;
    *at = 0;
    return e;
}

/* Blocks from the list s of class cls, until so many are spare; 0 if it has not enough, or the next
 * one is damaged. */
static uintptr_t stock(uintptr_t thread, struct sll *s, uintptr_t cls, uintptr_t wanted)
{
    while (blocks.spares[cls] < wanted) {
        struct block *b = s->head;

        if (!b || !word_intact(b, s->key))
            return 0;
        s->head = b->next;
        s->room++;
        b->word = 0;
        (void)spare(thread, (uintptr_t)b, cls);
    }
    return 1;
}

/* Moves to an array of room places, more than before; the old array is returned. */
static uintptr_t widen_table(uintptr_t thread, uintptr_t at, uintptr_t room)
{
    struct table *t = &blocks.slabs, old = *t;

    (void)thread;
    *t = (struct table){(struct place *)at, room - 1, old.count};
    for (size_t i = 0; old.at && i <= old.mask; i++)
        if (old.at[i].slab)
            *place(t, old.at[i].slab) = old.at[i];
    return (uintptr_t)old.at;
}

/* 0: another thread has been here meanwhile. */
static uintptr_t add_arrays(uintptr_t thread, uintptr_t at)
{
    (void)thread;
    if (blocks.arrays_left)
        return 0;
    blocks.arrays = (vg_extent *)at;
    blocks.arrays_left = ARRAYS;
    return 1;
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

static size_t wider(const void *at, size_t mask)
{
    return at ? (mask + 1) * 2 : FIRST_ROOM;
}

/* Memory that memcheck lets nobody touch; NULL if there is none. */
static void *hidden(size_t size)
{
    void *at = os_map(size);

    if (at)
        vg_hide(at, size);
    return at;
}

static void unmap(uintptr_t at, size_t room)
{
    if (at)
        (void)os_unmap((void *)at, room * sizeof(struct entry));
}

static bool grow_arrays(void)
{
    size_t size = (size_t)ARRAYS * GRAINS * sizeof(vg_extent);
    void *at = hidden(size);

    if (at && !VALGRIND_NON_SIMD_CALL1(add_arrays, at))
        (void)os_unmap(at, size);
    return at != NULL;
}

static bool grow_table(void)
{
    size_t room = wider(blocks.slabs.at, blocks.slabs.mask);
    void *at;

    if (blocks.slabs.at && blocks.slabs.count * 2 < blocks.slabs.mask)
        return grow_arrays();
    at = hidden(room * sizeof(struct place));
    if (!at)
        return false;
    /* Another thread may have been here meanwhile. */
    if (room > blocks.slabs.mask + 1)
        unmap(VALGRIND_NON_SIMD_CALL2(widen_table, at, room), room / 2);
    else
        unmap((uintptr_t)at, room);
    return true;
}

static bool grow_queue(void)
{
    size_t room = wider(blocks.waiting.at, blocks.waiting.mask);
    void *at = hidden(room * sizeof(struct entry));

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

bool vg_blocks_stock(struct sll *s, unsigned cls, uint32_t wanted)
{
    return VALGRIND_NON_SIMD_CALL3(stock, s, cls, wanted) != 0;
}

bool vg_blocks_spare(const void *start, unsigned cls)
{
    return VALGRIND_NON_SIMD_CALL2(spare, start, cls) == 0;
}
#endif
