#include "ace_cache.h"

#include <string.h>

#include "ace_large.h"
#include "ace_mid.h"
#include "os.h"
#include "owner.h"
#include "tiny.h"

static _Atomic(struct ace_cache *) all;

static uint64_t get(_Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

/* Only the cache's thread writes put. */
static void put_add(struct ace_cache *c, unsigned layer, size_t bytes)
{
    atomic_store_explicit(&c->put[layer], get(&c->put[layer]) + bytes, memory_order_relaxed);
}

/* What others took out of it may be counted a moment before what was put in. */
static uint64_t kept(struct ace_cache *c, unsigned layer)
{
    uint64_t stolen = get(&c->stolen[layer]), n = get(&c->put[layer]) - stolen;

    return (int64_t)n < 0 ? 0 : n;
}

static NOINLINE struct ace_cache *cache_new(void)
{
    struct ace_cache *c = os_map(sizeof(*c));
    struct ace_cache *first;

    if (!c)
        return NULL;
    tls.owner->ace = c;
    first = atomic_load_explicit(&all, memory_order_relaxed);
    do {
        c->next = first;
    } while (!atomic_compare_exchange_weak_explicit(&all, &first, c, memory_order_release,
                                                    memory_order_relaxed));
    return c;
}

struct ace_cache *cache_mine(void)
{
    struct ace_cache *c = tls.owner->ace;

    return likely(c != NULL) ? c : cache_new();
}

static void *take(cache_slot *slot)
{
    /* Acquire: another thread may have put it there. */
    return atomic_load_explicit(slot, memory_order_relaxed)
               ? atomic_exchange_explicit(slot, NULL, memory_order_acquire)
               : NULL;
}

static void put(cache_slot *slot, void *p)
{
    atomic_store_explicit(slot, p, memory_order_release);
}

static void *pop(cache_slot *slots, uint8_t *top)
{
    while (*top) {
        void *p = take(&slots[--*top]);

        if (p)
            return p;
    }
    return NULL;
}

static void touch(struct ace_cache *c)
{
    atomic_store_explicit(&c->touched, 1, memory_order_relaxed);
}

void *cache_pop_mid(struct ace_cache *c, unsigned cls)
{
    void *p = pop(c->mid[cls], &c->mid_top[cls]);

    touch(c);
    if (p)
        put_add(c, 0, -mid_stride(cls));
    return p;
}

void *cache_pop_large(struct ace_cache *c, unsigned cls)
{
    void *p = pop(c->large[cls], &c->large_top[cls]);

    touch(c);
    if (p)
        put_add(c, 1, -large_stride(cls));
    return p;
}

static unsigned mid_room(unsigned cls)
{
    return cls < MID_CLASSES - 4 ? CACHE_MID : CACHE_MID / 2;
}

unsigned cache_batch(unsigned cls)
{
    return mid_room(cls) / 2;
}

/* Takes the older half of a full class out; how many there were. */
static unsigned older_half(struct ace_cache *c, unsigned cls, unsigned room, void **out)
{
    cache_slot *slots = c->mid[cls];
    unsigned n = 0, top = 0;

    for (unsigned i = 0; i < room; i++) {
        void *p = take(&slots[i]);

        if (!p)
            continue;
        if (i < (room + 1) / 2)
            out[n++] = p;
        else
            put(&slots[top++], p);
    }
    c->mid_top[cls] = (uint8_t)top;
    put_add(c, 0, -(n * mid_stride(cls)));
    return n;
}

static NOINLINE void give_older_half(struct ace_cache *c, unsigned cls)
{
    void *out[CACHE_MID];
    unsigned n = older_half(c, cls, mid_room(cls), out);

    if (n)
        mid_give(out, n);
}

bool cache_push_mid(struct ace_cache *c, unsigned cls, void *p)
{
    bool full = c->mid_top[cls] >= mid_room(cls);

    touch(c);
    if (unlikely(full))
        give_older_half(c, cls);
    hak_assert(c->mid_top[cls] < CACHE_MID);
    put(&c->mid[cls][c->mid_top[cls]++], p);
    put_add(c, 0, mid_stride(cls));
    return full;
}

static unsigned large_room(unsigned cls)
{
    return cls < LARGE_CLASSES - 8 ? CACHE_LARGE : cls < LARGE_CLASSES - 4;
}

bool cache_push_large(struct ace_cache *c, unsigned cls, void *p)
{
    size_t stride = large_stride(cls);
    bool full = c->large_top[cls] >= large_room(cls) || kept(c, 1) + stride > CACHE_LARGE_BYTES;

    touch(c);
    if (full) {
        large_give(p);
    } else {
        hak_assert(c->large_top[cls] < CACHE_LARGE);
        put(&c->large[cls][c->large_top[cls]++], p);
        put_add(c, 1, stride);
    }
    return full;
}

/* ---- emptying, by anyone ---- */

static size_t empty_mid(struct ace_cache *c, unsigned cls)
{
    void *out[CACHE_MID];
    unsigned n = 0;

    for (unsigned i = 0; i < CACHE_MID; i++)
        if ((out[n] = take(&c->mid[cls][i])))
            n++;
    if (n)
        mid_give(out, n);
    return n * mid_stride(cls);
}

static size_t empty_large(struct ace_cache *c, unsigned cls)
{
    size_t bytes = 0;

    for (unsigned i = 0; i < CACHE_LARGE; i++) {
        void *p = take(&c->large[cls][i]);

        if (p) {
            large_give(p);
            bytes += large_stride(cls);
        }
    }
    return bytes;
}

static size_t empty(struct ace_cache *c)
{
    size_t mid = 0, large = 0;

    for (unsigned cls = 0; cls < MID_CLASSES; cls++)
        mid += empty_mid(c, cls);
    for (unsigned cls = 0; cls < LARGE_CLASSES; cls++)
        large += empty_large(c, cls);
    atomic_fetch_add_explicit(&c->stolen[0], mid, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->stolen[1], large, memory_order_relaxed);
    return mid + large;
}

static struct ace_cache *first_cache(void)
{
    return atomic_load_explicit(&all, memory_order_acquire);
}

void cache_flush_mine(void)
{
    if (tls.owner && tls.owner->ace)
        (void)empty(tls.owner->ace);
}

size_t cache_flush_all(void)
{
    size_t bytes = 0;

    for (struct ace_cache *c = first_cache(); c; c = c->next)
        bytes += empty(c);
    return bytes;
}

size_t cache_flush_untouched(void)
{
    size_t bytes = 0;

    for (struct ace_cache *c = first_cache(); c; c = c->next)
        if (!atomic_exchange_explicit(&c->touched, 0, memory_order_relaxed))
            bytes += empty(c);
    return bytes;
}

uint64_t cache_kept(struct ace_cache *c)
{
    return kept(c, 0) + kept(c, 1);
}

void cache_bytes(uint64_t bytes[2])
{
    bytes[0] = bytes[1] = 0;
    for (struct ace_cache *c = first_cache(); c; c = c->next)
        for (unsigned layer = 0; layer < 2; layer++)
            bytes[layer] += kept(c, layer);
}

void cache_forget_all(void)
{
    for (struct ace_cache *c = first_cache(); c; c = c->next) {
        struct ace_cache *next = c->next;

        memset(c, 0, sizeof(*c));
        c->next = next;
    }
}
