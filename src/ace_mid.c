#include "ace_mid.h"

#include <errno.h>

#include "ace_mark.h"
#include "config.h"

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
    /* The last class it was cut for; kept while the chunk is free. */
    _Atomic uint8_t cls;
};

_Static_assert(SPACE_HEADER + CHUNKS * sizeof(struct chunk) <= UNIT_SIZE, "beside the region");
_Static_assert(MARKS_AT + (REGION_SIZE >> PLACE_LG) <= 1u << CHUNK_LG, "beside the region");

struct space mid_space = {.lock = PTHREAD_MUTEX_INITIALIZER,
                          .layer = HAK_MID,
                          .limit = &config.ace_mid_cap,
                          .kind = PAGEMAP_MID,
                          /* Chunks are aligned to their size. */
                          .reserved = CHUNK_UNITS};

/* Chunks of each class with something free. */
static struct chunk *partial[MID_CLASSES];

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

/* The block of c that starts at p, or -1. */
static int block_at(const struct chunk *c, const void *p)
{
    unsigned cls = chunk_cls(c);
    uint32_t off = (uint32_t)((uintptr_t)p & ((1u << CHUNK_LG) - 1));
    uint32_t stride = (uint32_t)mid_stride(cls);
    uint32_t i = off / stride;

    return i * stride == off && i < capacity(cls) ? (int)i : -1;
}

static void partial_add(struct chunk *c, unsigned cls)
{
    c->prev = NULL;
    c->next = partial[cls];
    if (c->next)
        c->next->prev = c;
    partial[cls] = c;
}

static void partial_remove(struct chunk *c, unsigned cls)
{
    if (c->next)
        c->next->prev = c->prev;
    if (c->prev)
        c->prev->next = c->next;
    else
        partial[cls] = c->next;
}

/* A chunk for class cls; NULL if no region has one. */
static struct chunk *chunk_cut(unsigned cls)
{
    bool clean;
    void *p = space_take(&mid_space, CHUNK_UNITS, 1, &clean);
    struct chunk *c;

    if (!p)
        return NULL;
    c = chunk_of(p);
    c->free = (1u << capacity(cls)) - 1;
    c->dirty = clean ? 0 : c->free;
    atomic_store_explicit(&c->cls, (uint8_t)cls, memory_order_relaxed);
    for (unsigned i = 0; i < 1u << (CHUNK_LG - PLACE_LG); i++)
        mark_set(&mark_of(p)[i], 0);
    partial_add(c, cls);
    return c;
}

/* Takes the lowest free block of class cls, from a chunk in use; NULL if there is none. */
static void *take_one(unsigned cls, bool *zero)
{
    struct chunk *c = partial[cls];
    unsigned i;
    char *first;

    if (!c)
        return NULL;
    i = (unsigned)__builtin_ctz(c->free);
    *zero = !(c->dirty >> i & 1);
    c->dirty |= 1u << i;
    c->free &= c->free - 1;
    if (!c->free)
        partial_remove(c, cls);
    space_count(&mid_space, mid_stride(cls), 1);
    first = (char *)region_of(c);
    first += (size_t)(c - chunk_of(first)) << CHUNK_LG;
    mark_set(mark_of(first + i * mid_stride(cls)), mark_free(cls));
    return first + i * mid_stride(cls);
}

struct ace_answer mid_take(unsigned cls, void **others, unsigned *more)
{
    struct ace_answer a = {.class_size = mid_stride(cls)};
    struct space_news news = {NULL, 0, 0, false};
    unsigned want = *more;
    bool zero;

    *more = 0;
    pthread_mutex_lock(&mid_space.lock);
    if (!space_has_room(&mid_space, a.class_size)) {
        a.reason = HAK_EXHAUSTION;
    } else if (partial[cls] || chunk_cut(cls) ||
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
    pthread_mutex_unlock(&mid_space.lock);
    space_tell(&mid_space, &news);
    return a;
}

static void give_one(void *p)
{
    struct chunk *c = chunk_of(p);
    unsigned cls = chunk_cls(c);
    int i = block_at(c, p);

    hak_assert(i >= 0);
    if (!c->free)
        partial_add(c, cls);
    c->free |= 1u << (unsigned)i;
    space_uncount(&mid_space, mid_stride(cls), 1);
    if (c->free == (1u << capacity(cls)) - 1) {
        partial_remove(c, cls);
        space_give(&mid_space, chunk_base(p), CHUNK_UNITS);
    }
}

void mid_give(void *const *blocks, unsigned n)
{
    pthread_mutex_lock(&mid_space.lock);
    for (unsigned i = 0; i < n; i++)
        give_one(blocks[i]);
    pthread_mutex_unlock(&mid_space.lock);
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

static void report(const void *p, uint8_t mark)
{
    struct slab_ref ref = {(uintptr_t)region_of(p), unit_of(p), 0, CLASS_MID};

    if (mark)
        trace_double_free(ref, p);
    else
        trace_invalid_free(ref.ss, ref.slab, CLASS_MID, p,
                           !chunk_no(p)                    ? HAK_IN_HEADER
                           : block_at(chunk_of(p), p) >= 0 ? HAK_NEVER_CARVED
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

/* All of a chunk that is neither free nor live. */
static void sweep(char *base, struct chunk *c)
{
    unsigned cls = chunk_cls(c);
    uint32_t lost = (((1u << capacity(cls)) - 1) & ~c->free);

    for (; lost; lost &= lost - 1) {
        unsigned i = (unsigned)__builtin_ctz(lost);

        if (mid_live_class(base + i * mid_stride(cls)) < 0)
            give_one(base + i * mid_stride(cls));
    }
}

void mid_after_fork(void)
{
    for (struct region *r = mid_space.all; r; r = r->next) {
        for (unsigned n = 1; n < CHUNKS; n++) {
            char *base = (char *)r + ((size_t)n << CHUNK_LG);
            unsigned unit = unit_of(base);

            if (r->used[unit / 64] >> unit % 64 & 1)
                sweep(base, chunk_of(base));
        }
    }
}
