#include "ace_huge.h"

#include <errno.h>

#include "ace_class.h"
#include "lock.h"
#include "os.h"

/* Freed blocks that wait: how many, and of how many bytes together. */
#define WAITING 64
#define WAITING_BYTES ((size_t)48 << 20)

/* In a block's word beside its bytes. */
#define HUGE_LIVE 1u
#define HUGE_FREE 2u
#define HUGE_FLAGS 3u

struct waiting {
    void *p;
    size_t size;
    uint32_t since;
};

static struct {
    struct lock lock;
    struct waiting waiting[WAITING];
    unsigned count;
    size_t waiting_bytes;
    uint32_t tick;
    uint64_t blocks, used, peak, mapped;
} huge;

static void word_set(const void *p, size_t size, unsigned state)
{
    atomic_store_explicit(pagemap_word(p), size | state, memory_order_relaxed);
}

static void *granule(const void *p)
{
    return (void *)((uintptr_t)p & -(uintptr_t)PAGEMAP_GRANULE);
}

/* Enters a mapping; false with errno if the page map has no room. */
static bool enter(char *p, size_t size)
{
    if (!pagemap_set(p, size, PAGEMAP_HUGE_TAIL))
        return false;
    (void)pagemap_set(p, 1, PAGEMAP_HUGE);
    return true;
}

static void leave(const void *p, size_t size)
{
    (void)pagemap_set(p, size, PAGEMAP_NONE);
}

/* Counts, with the lock held. */
static void count(size_t size)
{
    huge.blocks++;
    huge.used += size;
    if (huge.used > huge.peak)
        huge.peak = huge.used;
}

static void uncount(size_t size)
{
    huge.blocks--;
    huge.used -= size;
}

/* ---- blocks that wait ---- */

/* Takes the waiting block number i out, with the lock held. */
static struct waiting pick(unsigned i)
{
    struct waiting w = huge.waiting[i];

    huge.waiting[i] = huge.waiting[--huge.count];
    huge.waiting_bytes -= w.size;
    return w;
}

#ifdef HAK_DEBUG
/* With the lock held. */
static void huge_check(void)
{
    size_t bytes = 0;

    hak_assert(huge.count <= WAITING && huge.waiting_bytes <= WAITING_BYTES);
    for (unsigned i = 0; i < huge.count; i++) {
        const struct waiting *w = &huge.waiting[i];

        hak_assert(atomic_load_explicit(pagemap_word(w->p), memory_order_relaxed) ==
                   (w->size | HUGE_FREE));
        hak_assert(pagemap_lookup(w->p) == PAGEMAP_HUGE);
        for (unsigned j = 0; j < i; j++)
            hak_assert(huge.waiting[j].p != w->p);
        bytes += w->size;
    }
    hak_assert(huge.waiting_bytes == bytes);
    hak_assert(huge.used <= huge.peak);
    hak_assert(!huge.blocks == !huge.used);
    hak_assert(huge.used + huge.waiting_bytes <= huge.mapped);
}
#endif

/* How well a waiting block suits a request: 0 not at all, and the higher the better. At most a
 * quarter more than is wanted serves as it is. Up to the half, or to double, its pages are worth
 * the system call that makes it fit: they need not be faulted in, and zeroed, again. */
static size_t suits(const struct waiting *w, size_t size, size_t align)
{
    size_t off = w->size < size ? size - w->size : w->size - size;

    if ((uintptr_t)w->p & (align - 1) || w->size < size / 2 || w->size > size * 2)
        return 0;
    if (w->size >= size && off <= size / 4)
        return SIZE_MAX - off;
    return align == PAGEMAP_GRANULE ? SIZE_MAX / 2 - off : 0;
}

/* Takes the waiting block that suits best, already counted; p NULL if none does. */
static struct waiting reuse(size_t size, size_t align)
{
    unsigned best = 0;
    size_t suited = 0;
    struct waiting w = {NULL, 0, 0};

    if (!lost_take(&huge.lock))
        return w;
    for (unsigned i = 0; i < huge.count; i++) {
        size_t how_well = suits(&huge.waiting[i], size, align);

        if (how_well > suited) {
            suited = how_well;
            best = i;
        }
    }
    if (suited) {
        w = pick(best);
        count(w.size);
    }
    hak_check(huge_check());
    lock_give(&huge.lock);
    return w;
}

/* Returns the bytes that went. */
static size_t forget(struct waiting w)
{
    leave(w.p, w.size);
    word_set(w.p, 0, 0);
    return os_unmap(w.p, w.size) ? w.size : 0;
}

static size_t unmap(struct waiting w)
{
    uint64_t mapped = 0;

    if (lost_take(&huge.lock)) {
        mapped = huge.mapped -= w.size;
        lock_give(&huge.lock);
    }
    trace_ace_unmap(w.p, w.size, HAK_HUGE, mapped, 0);
    return forget(w);
}

/* The block that has waited longest. */
static unsigned oldest(void)
{
    unsigned found = 0;

    for (unsigned i = 1; i < huge.count; i++)
        if ((int32_t)(huge.waiting[i].since - huge.waiting[found].since) < 0)
            found = i;
    return found;
}

void huge_give(void *p)
{
    uint64_t word = atomic_load_explicit(pagemap_word(p), memory_order_relaxed);
    size_t size = word & ~(size_t)HUGE_FLAGS;
    struct waiting w = {p, size, 0}, out[WAITING];
    unsigned n = 0;

    hak_assert(!(word & HUGE_LIVE));
    /* Found when the child is put in order. */
    if (!lost_take(&huge.lock))
        return;
    uncount(size);
    if (size > WAITING_BYTES / 2) {
        out[n++] = w;
    } else {
        while (huge.count == WAITING || (huge.count && huge.waiting_bytes + size > WAITING_BYTES))
            out[n++] = pick(oldest());
        w.since = huge.tick;
        huge.waiting[huge.count++] = w;
        huge.waiting_bytes += size;
    }
    hak_check(huge_check());
    lock_give(&huge.lock);
    while (n)
        (void)unmap(out[--n]);
}

size_t huge_tend(bool all)
{
    struct waiting out[WAITING];
    unsigned n = 0;
    size_t given = 0;

    lock_take(&huge.lock);
    huge.tick++;
    for (unsigned i = 0; i < huge.count;) {
        if (all || huge.tick - huge.waiting[i].since >= 2)
            out[n++] = pick(i);
        else
            i++;
    }
    lock_give(&huge.lock);
    while (n)
        given += unmap(out[--n]);
    return given;
}

bool huge_has_idle(void)
{
    bool idle;

    lock_take(&huge.lock);
    idle = huge.count != 0;
    lock_give(&huge.lock);
    return idle;
}

/* ---- blocks ---- */

static struct ace_answer map(size_t size, size_t align)
{
    /* A place that is aligned is cut from so much. */
    struct ace_answer a = {.class_size = size + (align > PAGEMAP_GRANULE ? align : 0),
                           .reason = HAK_MAP_FAIL_OS};
    uint64_t began = trace_clock(HAK_EV_ace_map), ns, mapped = 0;
    void *p = os_map_aligned(size, align);

    ns = began ? os_now_ns() - began : 0;
    a.err = errno;
    if (p && !enter(p, size)) {
        a.err = errno;
        (void)os_unmap(p, size);
        p = NULL;
    }
    if (lost_take(&huge.lock)) {
        if (p) {
            huge.mapped += size;
            count(size);
        }
        mapped = huge.mapped;
        a.used = huge.used;
        lock_give(&huge.lock);
    }
    if (!p)
        return a;
    trace_ace_map(p, size, HAK_HUGE, mapped, ns);
    word_set(p, size, HUGE_LIVE);
    a.p = p;
    a.zero = true;
    return a;
}

/* Bytes to map for a request: eight sizes a doubling where a freed block may wait for the next
 * request, so that it fits. What is not touched costs addresses only. */
static size_t mapping_for(size_t size)
{
    size_t step = os_page();

    if (size > LARGE_MAX && size <= WAITING_BYTES / 2)
        step = (size_t)1 << (60 - __builtin_clzl(size - 1));
    return align_up(size, step);
}

void *huge_start(const void *p, int kind)
{
    char *start = granule(p);
    size_t size;

    while (kind == PAGEMAP_HUGE_TAIL)
        kind = pagemap_lookup(start -= PAGEMAP_GRANULE);
    size = atomic_load_explicit(pagemap_word(start), memory_order_relaxed) & ~(size_t)HUGE_FLAGS;
    return kind == PAGEMAP_HUGE && (size_t)((const char *)p - start) < size ? start : NULL;
}

bool huge_unliven(void *p)
{
    _Atomic uint64_t *word = pagemap_word(p);
    void *start = granule(p);
    uint64_t was = atomic_load_explicit(word, memory_order_relaxed);

    if (likely(p == start) && pagemap_lookup(p) == PAGEMAP_HUGE && likely(was & HUGE_LIVE) &&
        likely(atomic_compare_exchange_strong_explicit(word, &was, was ^ HUGE_FLAGS,
                                                       memory_order_acq_rel, memory_order_relaxed)))
        return true;
    start = huge_start(p, pagemap_lookup(p));
    if (p == start)
        trace_double_free((struct slab_ref){(uintptr_t)start, 0, 0, CLASS_HUGE}, p);
    else
        trace_invalid_free((uintptr_t)start, 0, CLASS_HUGE, p, HAK_NOT_A_BLOCK_START);
    return false;
}

size_t huge_mapped(const void *p)
{
    return atomic_load_explicit(pagemap_word(p), memory_order_relaxed) & ~(size_t)HUGE_FLAGS;
}

size_t huge_size(const void *p)
{
    uint64_t word = atomic_load_explicit(pagemap_word(p), memory_order_relaxed);

    return p == granule(p) && pagemap_lookup(p) == PAGEMAP_HUGE && word & HUGE_LIVE
               ? word & ~(size_t)HUGE_FLAGS
               : 0;
}

/* A block that is resized: its word says the same of it all the while, so that whoever has freed
 * it already is found out. */
struct resizing {
    char *p;
    size_t old, size;
    unsigned state;
};

/* Counts a resized block and reports it. */
static void resized(const struct resizing *r, void *to, uint64_t began)
{
    uint64_t mapped = 0;

    if (lost_take(&huge.lock)) {
        uncount(r->old);
        count(r->size);
        mapped = huge.mapped += r->size - r->old;
        lock_give(&huge.lock);
    }
    word_set(to, r->size, r->state);
    trace_ace_remap(r->p, to, r->old, r->size, mapped, began ? os_now_ns() - began : 0);
}

/* Bytes of whole granules. */
static size_t granules(size_t size)
{
    return align_up(size, PAGEMAP_GRANULE);
}

static bool shrink(const struct resizing *r)
{
    char *behind = r->p + granules(r->size);
    size_t bytes = granules(r->old) - granules(r->size);

    /* What is given up must not be called ours when somebody else maps it. */
    leave(behind, bytes);
    word_set(r->p, r->size, r->state);
    if (os_remap(r->p, r->old, r->size, NULL))
        return true;
    word_set(r->p, r->old, r->state);
    (void)pagemap_set(behind, bytes, PAGEMAP_HUGE_TAIL);
    return false;
}

static bool grow_in_place(const struct resizing *r)
{
    if (!os_remap(r->p, r->old, r->size, NULL))
        return false;
    if (pagemap_set(r->p + granules(r->old), granules(r->size) - granules(r->old),
                    PAGEMAP_HUGE_TAIL))
        return true;
    (void)os_remap(r->p, r->size, r->old, NULL);
    return false;
}

/* Moves the pages to a place with more room. */
static void *move(const struct resizing *r)
{
    char *place = os_map_aligned(r->size, PAGEMAP_GRANULE);

    if (!place)
        return NULL;
    if (!enter(place, r->size)) {
        (void)os_unmap(place, r->size);
        return NULL;
    }
    leave(r->p, r->old);
    word_set(r->p, 0, 0);
    /* Before the place may be somebody else's. */
    leave(place, r->size);
    if (os_remap(r->p, r->old, r->size, place)) {
        (void)enter(place, r->size);
        return place;
    }
    (void)enter(r->p, r->old);
    word_set(r->p, r->old, r->state);
    return NULL;
}

static void *resize(const struct resizing *r)
{
    uint64_t began = trace_clock(HAK_EV_ace_remap);
    void *to = r->p;

    if (r->size == r->old)
        return to;
    if (r->size < r->old) {
        if (!shrink(r))
            return NULL;
    } else if (!grow_in_place(r) && !(to = move(r))) {
        return NULL;
    }
    resized(r, to, began);
    return to;
}

void *huge_resize(void *p, size_t size)
{
    return resize(&(struct resizing){p, huge_size(p), align_up(size, os_page()), HUGE_LIVE});
}

struct ace_answer huge_take(size_t size, size_t align)
{
    struct waiting w;
    char *p;

    size = mapping_for(size);
    if (align < PAGEMAP_GRANULE)
        align = PAGEMAP_GRANULE;
    w = reuse(size, align);
    if (!w.p)
        return map(size, align);
    if (w.size < size || w.size - size > size / 4) {
        p = resize(&(struct resizing){w.p, w.size, size, HUGE_FREE});
        if (!p) {
            huge_give(w.p);
            return map(size, align);
        }
        w = (struct waiting){p, size, 0};
    }
    word_set(w.p, w.size, HUGE_LIVE);
    return (struct ace_answer){.p = w.p, .class_size = w.size};
}

void huge_stats(struct hak_layer_stats *out)
{
    lock_take(&huge.lock);
    out->blocks = huge.blocks;
    out->used = huge.used;
    out->peak = huge.peak;
    out->mapped = huge.mapped;
    out->idle = huge.waiting_bytes;
    lock_give(&huge.lock);
}

/* Counts the block whose granule this is. What is not live, of whoever had it in his hands, waits
 * again. */
static void count_anew(void *p, void *unused)
{
    size_t word = atomic_load_explicit(pagemap_word(p), memory_order_relaxed);
    size_t size = word & ~(size_t)HUGE_FLAGS;
    struct waiting w = {p, size, huge.tick};

    (void)unused;
    huge.mapped += size;
    if (word & HUGE_LIVE) {
        count(size);
    } else if (word & HUGE_FREE && huge.count < WAITING &&
               huge.waiting_bytes + size <= WAITING_BYTES) {
        huge.waiting[huge.count++] = w;
        huge.waiting_bytes += size;
    } else if (word & HUGE_FREE) {
        huge.mapped -= size;
        (void)forget(w);
    }
}

void huge_fork(enum fork_step step)
{
    if (step == FORK_CHILD) {
        huge.count = 0;
        huge.waiting_bytes = huge.blocks = huge.used = huge.mapped = 0;
        pagemap_each(PAGEMAP_HUGE, PAGEMAP_GRANULE, count_anew, NULL);
    }
    (void)lost_step(&huge.lock, step);
}
