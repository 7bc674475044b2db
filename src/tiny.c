#include "tiny.h"

#include <errno.h>

#include "ace.h"
#include "config.h"
#include "legacy.h"
#include "limits.h"
#include "pool.h"
#include "process.h"
#include "thread.h"

TLS_FAST struct tls tls;

/* So many blocks of others leave together. */
#define AWAY_MAX 32

static void send_home(unsigned cls)
{
    struct away *a = &tls.away[cls];
    struct chain c = {a->head, a->count};

    *a = (struct away){NULL, 0};
    if (c.head)
        owner_give(tls.owner, c, cls);
}

/* Does b share cache lines with blocks that another thread, a live one, hands out? */
static bool is_anothers(const struct block *b, unsigned cls)
{
    struct owner *o;

    if (!class_shares_lines(cls))
        return false;
    /* Acquire: the slab may just have been adopted by a thread whose first it is. */
    o = atomic_load_explicit(&ss_slab(ss_of(b), b)->owner, memory_order_acquire);
    return o && o != tls.owner && o->id != OWNER_LEGACY;
}

/* Blocks of class cls for the calling thread's list, from its own slabs or a newly acquired
 * one; empty when the shared pool refuses. */
static struct chain take_or_acquire(unsigned cls, size_t size, uint32_t want)
{
    struct owner *o = tls.owner;
    struct chain c = owner_take(o, cls, want);
    struct slab *s;

    if (c.head)
        return c;
    s = pool_acquire(o, cls, size);
    if (s) {
        owner_set_current(o, s, cls);
        c = owner_take(o, cls, want);
    }
    return c;
}

static void *refill_and_pop(unsigned cls, size_t size, size_t align)
{
    struct sll *s = &tls.sll[cls];
    struct chain c = take_or_acquire(cls, size, tls.batch[cls]);
    struct block *b = c.head;
    bool lost = false;

    if (!b)
        return legacy_alloc(cls, size, align, HAK_WHY_SHARED_FAIL);
    if (tls.batch[cls] < tls.limit[cls] / 2)
        tls.batch[cls] *= 2;
    c.head = block_unlink(b, cls, HAK_AT_REFILL, &lost);
    /* Somebody is writing to what we have just carved or taken. */
    if (unlikely(lost))
        return refill_and_pop(cls, size, align);
    c.count--;
    if (unlikely(s->head)) {
        /* A listener freed something of this class while we were refilling. */
        owner_give(tls.owner, c, cls);
    } else {
        s->head = c.head;
        s->room = (int32_t)(tls.limit[cls] - c.count);
    }
    return b;
}

/* Takes the first block of list s; NULL if there is none that can be handed out. */
static void *sll_pop(struct sll *s, unsigned cls)
{
    struct block *b = s->head;
    bool lost = false;

    if (!b)
        return NULL;
    s->head = block_unlink(b, cls, HAK_AT_POP, &lost);
    s->room = lost ? tls.limit[cls] : s->room + 1;
    return lost ? NULL : b;
}

/* One request in as many as a refill brings: a fair sample, and off the fast path. */
static void sample(struct owner_class *oc, size_t size)
{
    uint64_t samples = atomic_load_explicit(&oc->samples, memory_order_relaxed);
    uint64_t bytes = atomic_load_explicit(&oc->sampled, memory_order_relaxed);

    atomic_store_explicit(&oc->samples, samples + 1, memory_order_relaxed);
    atomic_store_explicit(&oc->sampled, bytes + size, memory_order_relaxed);
}

/* A block for a request that the list cannot serve. */
static void *beyond_the_list(unsigned cls, size_t size, size_t align)
{
    /* No transition may happen inside a listener: it could not be reported. */
    if (trace_busy())
        return legacy_system(cls, size, align, HAK_WHY_IN_TRACER);
    if (unlikely(!config.use_superslab))
        return legacy_system(cls, size, align, HAK_WHY_DISABLED);
    if (unlikely(limits_near))
        return legacy_system(cls, size, align, HAK_WHY_NEAR_LIMIT);
    if (unlikely(tls.state != THREAD_LIVE) && !thread_begin())
        return legacy_alloc(cls, size, align, HAK_WHY_NO_THREAD);
    send_home(cls);
    sample(&tls.owner->cls[cls], size);
    return refill_and_pop(cls, size, align);
}

void *tiny_alloc_class(unsigned cls, size_t size, size_t align)
{
    void *p = sll_pop(&tls.sll[cls], cls);

    if (!p)
        p = beyond_the_list(cls, size, align);
    if (p)
        trace_alloc(p, size, ss_of(p) ? cls : CLASS_NONE);
    return p;
}

NOINLINE void *tiny_malloc_slow(size_t size)
{
    if (size > TINY_MAX)
        return ace_malloc(size);
    process_init();
    process_poke();
    /* The class table may have been filled only now. */
    return tiny_alloc_class(class_of(size), size, 0);
}

/* Gives the first n blocks of the list back; fewer if a damaged link comes before. */
static void drain(struct sll *s, unsigned cls, uint32_t n)
{
    struct chain c = {s->head, n};
    struct block *last = s->head, *before = NULL;
    bool lost = false;
    uint32_t i;

    for (i = 1; i < n && block_link_trusted(last, cls) && block_next(last, cls); i++) {
        before = last;
        last = block_next(last, cls);
    }
    s->head = block_unlink(last, cls, HAK_AT_DRAIN, &lost);
    s->room = lost ? tls.limit[cls] : s->room + (int32_t)i;
    if (unlikely(lost))
        last = before;
    if (unlikely(!last))
        return;
    block_link(last, NULL, cls);
    owner_give(tls.owner, c, cls);
}

/* free() of b, a block in use. */
static void free_block(struct block *b, unsigned cls)
{
    struct sll *s = sll_of(cls);
    int saved = errno;

    process_init();
    trace_free(b, cls);
    /* Inside a listener a thread cannot begin: nobody could be told. */
    if (tls.state != THREAD_LIVE && (trace_busy() || !thread_begin_to_free())) {
        owner_give_one(b, cls);
    } else if (is_anothers(b, cls)) {
        struct away *a = &tls.away[cls];

        block_link(b, a->head, cls);
        a->head = b;
        if (++a->count >= AWAY_MAX && !trace_busy()) {
            send_home(cls);
            process_poke_free();
        }
    } else {
        if (s->room <= 0 && !trace_busy()) {
            drain(s, cls, tls.limit[cls] / 2);
            process_poke_free();
        }
        block_link(b, s->head, cls);
        s->head = b;
        s->room--;
    }
    errno = saved;
}

/* The same where the next block is in another slab, or there is none. */
static NOINLINE void *malloc_last_of_slab(struct sll *s, size_t size, void *(*otherwise)(size_t))
{
    struct block *b = s->head;

    if (unlikely(!short_intact(b, 0)))
        return otherwise(size);
    s->head = short_next(b);
    s->room++;
    short_set(b, 0);
    return b;
}

NOINLINE void *tiny_malloc_smallest(struct sll *s, size_t size, void *(*otherwise)(size_t))
{
    struct block *b = s->head, *next = short_next(b);

    if (unlikely(short_difference(b, next)) || unlikely(!short_stays(b, next)))
        return malloc_last_of_slab(s, size, otherwise);
    s->head = next;
    s->room++;
    short_set(b, 0);
    return b;
}

NOINLINE void tiny_free_smallest(struct block *b, struct sll *s, void (*otherwise)(void *))
{
    if (unlikely(s->room <= 0) || short_looks_free(b)) {
        otherwise(b);
        return;
    }
    short_set(b, short_of(b, s->head));
    s->head = b;
    s->room--;
}

NOINLINE void tiny_free_slow(struct superslab *ss, void *p)
{
    uint32_t info;

    if (!tiny_is_block(ss, p, &info))
        tiny_free_invalid(p, info);
    else if (block_looks_free(p, info_cls(info)))
        tiny_double_free(p);
    else
        free_block(p, info_cls(info));
}

NOINLINE void tiny_double_free(const struct block *b)
{
    trace_double_free(slab_ref(ss_slab(ss_of(b), b)), b);
}

NOINLINE void tiny_free_invalid(void *p, uint32_t info)
{
    struct superslab *ss = ss_of(p);
    unsigned no = slab_no(ss_slab(ss, p));
    uint32_t off = (uint32_t)((uintptr_t)p & (SLAB_SIZE - 1)) - slab_reserved(no);
    unsigned cls = info_cls(info);
    enum hak_invalid_why why;

    if (no == 0 && ((uintptr_t)p & (SLAB_SIZE - 1)) < SS_HEADER)
        why = HAK_IN_HEADER;
    else if (info_state(info) == SLAB_UNUSED)
        why = HAK_NEVER_CARVED;
    else if (block_index(cls, off) >= slab_capacity(cls, no))
        why = HAK_NOT_A_BLOCK_START;
    else if (block_looks_free(p, cls)) {
        /* A block of an EMPTY slab that still bears its word: freed before, and again now. */
        tiny_double_free(p);
        return;
    } else
        why = info_state(info) == SLAB_ACTIVE ? HAK_NEVER_CARVED : HAK_SLAB_NOT_ACTIVE;
    trace_invalid_free((uintptr_t)ss, no, cls, p, why);
}

#ifdef HAK_DEBUG
/* The list of class cls has as many blocks as its room says, as far as it can be followed. */
static void list_check(unsigned cls)
{
    const struct block *b = tls.sll[cls].head;
    uint32_t n = 0;

    hak_assert(tls.sll[cls].room <= tls.limit[cls]);
    for (; b; b = block_next(b, cls), n++) {
        hak_assert(ss_of(b));
        if (!block_link_trusted(b, cls))
            return;
        /* Rings are made by those who free twice. */
        if (n > sll_count(cls))
            return;
    }
    hak_assert(n == sll_count(cls));
}
#endif

void tiny_drain(void)
{
    if (tls.state != THREAD_LIVE)
        return;
    for (unsigned c = 0; c < CLASSES; c++) {
        hak_check(list_check(c));
        send_home(c);
        if (tls.sll[c].head)
            drain(&tls.sll[c], c, sll_count(c));
    }
    owner_collect(tls.owner);
}
