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

    lock_take(&huge.lock);
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
    lock_give(&huge.lock);
    return w;
}

static void unmap(struct waiting w)
{
    uint64_t mapped;

    lock_take(&huge.lock);
    mapped = huge.mapped -= w.size;
    lock_give(&huge.lock);
    trace_ace_unmap(w.p, w.size, HAK_HUGE, mapped, 0);
    leave(w.p, w.size);
    word_set(w.p, 0, 0);
    /* If it cannot be unmapped, its pages at least go back. */
    if (!os_unmap(w.p, w.size))
        os_purge(w.p, w.size);
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
    size_t size = atomic_load_explicit(pagemap_word(p), memory_order_relaxed) & ~(size_t)HUGE_FLAGS;
    struct waiting w = {p, size, 0}, out[WAITING];
    unsigned n = 0;

    lock_take(&huge.lock);
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
    lock_give(&huge.lock);
    while (n)
        unmap(out[--n]);
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
    while (n) {
        given += out[--n].size;
        unmap(out[n]);
    }
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
    struct ace_answer a = {.class_size = size, .reason = HAK_MAP_FAIL_OS};
    uint64_t began = trace_clock(), ns, mapped;
    void *p = os_map_aligned(size, align);

    ns = began ? os_now_ns() - began : 0;
    a.err = errno;
    if (p && !enter(p, size)) {
        a.err = errno;
        (void)os_unmap(p, size);
        p = NULL;
    }
    lock_take(&huge.lock);
    if (p) {
        huge.mapped += size;
        count(size);
    }
    mapped = huge.mapped;
    a.used = huge.used;
    lock_give(&huge.lock);
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
    size_t step = OS_PAGE;

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

size_t huge_size(const void *p)
{
    uint64_t word = atomic_load_explicit(pagemap_word(p), memory_order_relaxed);

    return p == granule(p) && pagemap_lookup(p) == PAGEMAP_HUGE && word & HUGE_LIVE
               ? word & ~(size_t)HUGE_FLAGS
               : 0;
}

/* Counts a resized block and reports it. */
static void resized(const void *from, void *p, size_t old, size_t size, uint64_t began)
{
    uint64_t mapped;

    lock_take(&huge.lock);
    uncount(old);
    count(size);
    mapped = huge.mapped += size - old;
    lock_give(&huge.lock);
    word_set(p, size, HUGE_LIVE);
    trace_ace_remap(from, p, old, size, mapped, began ? os_now_ns() - began : 0);
}

/* Bytes of whole granules. */
static size_t granules(size_t size)
{
    return align_up(size, PAGEMAP_GRANULE);
}

static bool shrink(char *p, size_t old, size_t size)
{
    /* What is given up must not be called ours when somebody else maps it. */
    leave(p + granules(size), granules(old) - granules(size));
    word_set(p, size, HUGE_LIVE);
    if (os_remap(p, old, size, NULL))
        return true;
    word_set(p, old, HUGE_LIVE);
    (void)pagemap_set(p + granules(size), granules(old) - granules(size), PAGEMAP_HUGE_TAIL);
    return false;
}

static bool grow_in_place(char *p, size_t old, size_t size)
{
    if (!os_remap(p, old, size, NULL))
        return false;
    if (pagemap_set(p + granules(old), granules(size) - granules(old), PAGEMAP_HUGE_TAIL))
        return true;
    (void)os_remap(p, size, old, NULL);
    return false;
}

/* Moves the pages of p to a place with more room. */
static void *move(char *p, size_t old, size_t size)
{
    char *place = os_map_aligned(size, PAGEMAP_GRANULE);

    if (!place)
        return NULL;
    if (!enter(place, size)) {
        (void)os_unmap(place, size);
        return NULL;
    }
    leave(p, old);
    word_set(p, 0, 0);
    if (os_remap(p, old, size, place))
        return place;
    /* Whether the kernel had unmapped the place already is not known, and by now it may be
     * somebody else's: it is left alone. */
    leave(place, size);
    (void)enter(p, old);
    word_set(p, old, HUGE_LIVE);
    return NULL;
}

void *huge_resize(void *p, size_t size)
{
    size_t old = huge_size(p);
    uint64_t began = trace_clock();
    void *to = p;

    size = align_up(size, OS_PAGE);
    if (size == old)
        return p;
    if (size < old) {
        if (!shrink(p, old, size))
            return NULL;
    } else if (!grow_in_place(p, old, size) && !(to = move(p, old, size))) {
        return NULL;
    }
    resized(p, to, old, size, began);
    return to;
}

struct ace_answer huge_take(size_t size, size_t align)
{
    struct waiting w;
    void *p;

    size = mapping_for(size);
    if (align < PAGEMAP_GRANULE)
        align = PAGEMAP_GRANULE;
    w = reuse(size, align);
    if (!w.p)
        return map(size, align);
    word_set(w.p, w.size, HUGE_LIVE);
    if (w.size >= size && w.size - size <= size / 4)
        return (struct ace_answer){.p = w.p, .class_size = w.size};
    p = huge_resize(w.p, size);
    if (p)
        return (struct ace_answer){.p = p, .class_size = size};
    huge_give(w.p);
    return map(size, align);
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

void huge_fork(enum fork_step step)
{
    (void)lost_step(&huge.lock, step);
}
