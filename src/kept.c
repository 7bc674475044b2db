#include "kept.h"

#include <string.h>

#include "os.h"

/* At the beginning of each range. */
struct kept {
    struct kept *next;
    size_t size;
    bool clean; /* all behind this reads as zero */
};

static struct {
    _Atomic(struct kept *) all;
    _Atomic uint64_t bytes;
} kept;

static void add_bytes(uint64_t more)
{
    atomic_fetch_add_explicit(&kept.bytes, more, memory_order_relaxed);
}

uint64_t kept_bytes(void)
{
    return atomic_load_explicit(&kept.bytes, memory_order_relaxed);
}

static struct kept *take_all(void)
{
    if (likely(!atomic_load_explicit(&kept.all, memory_order_relaxed)))
        return NULL;
    return atomic_exchange_explicit(&kept.all, NULL, memory_order_acquire);
}

static void push(struct kept *k)
{
    struct kept *first = atomic_load_explicit(&kept.all, memory_order_relaxed);

    do {
        k->next = first;
    } while (!atomic_compare_exchange_weak_explicit(&kept.all, &first, k, memory_order_release,
                                                    memory_order_relaxed));
}

static void describe(void *p, size_t size, bool clean)
{
    struct kept *k = p;

    k->size = size;
    k->clean = clean;
    push(k);
}

void kept_put(void *p, size_t size)
{
    add_bytes(size);
    /* Where not even a guard can be taken off, nobody finds it again; it counts all the same. */
    if (os_writable(p, size))
        describe(p, size, os_purge(p, size) == size);
}

static char *place_in(struct kept *k, size_t size, size_t align)
{
    uintptr_t from = (uintptr_t)k, at = align_up(from, align);

    return at - from <= k->size && k->size - (at - from) >= size ? (char *)at : NULL;
}

/* Takes the part of size bytes at p out of k; what is before it and behind it is kept on. */
static void cut(struct kept *k, char *p, size_t size)
{
    size_t before = (size_t)(p - (char *)k), behind = k->size - before - size;
    bool clean = k->clean;

    if (before)
        describe(k, before, clean);
    if (behind)
        describe(p + size, behind, clean);
    if (!before && clean)
        memset(p, 0, sizeof(*k));
    if (!clean && os_purge(p, size) != size)
        memset(p, 0, size);
    add_bytes(-(uint64_t)size);
}

void *kept_take(size_t size, size_t align)
{
    struct kept *k = take_all(), *best = NULL, *next;

    for (; k; k = next) {
        next = k->next;
        if (!place_in(k, size, align) || (best && best->size <= k->size)) {
            push(k);
            continue;
        }
        if (best)
            push(best);
        best = k;
    }
    if (best) {
        char *p = place_in(best, size, align);

        cut(best, p, size);
        return p;
    }
    return NULL;
}

size_t kept_retry(void)
{
    size_t gone = 0;

    for (struct kept *k = take_all(), *next; k; k = next) {
        size_t size = k->size;

        next = k->next;
        if (os_unmap_now(k, size)) {
            gone += size;
            continue;
        }
        if (!k->clean)
            k->clean = os_purge(k, size) == size;
        describe(k, size, k->clean);
    }
    add_bytes(-(uint64_t)gone);
    return gone;
}
