#include "owner.h"

#include "config.h"
#include "misuse.h"
#include "os.h"
#include "pool.h"
#include "tick.h"

static void list_init(struct slab_link *l)
{
    l->next = l->prev = l;
}

static bool list_empty(const struct slab_link *l)
{
    return l->next == l;
}

static struct slab *list_first(struct slab_link *l)
{
    return (struct slab *)l->next;
}

static void list_push(struct slab_link *l, struct slab *s)
{
    s->link.next = l->next;
    s->link.prev = l;
    l->next->prev = &s->link;
    l->next = &s->link;
}

static void list_push_last(struct slab_link *l, struct slab *s)
{
    list_push(l->prev, s);
}

/* The links lie in the SuperSlab, in reach of a write before its first block. */
static void list_unlink(struct slab *s)
{
    struct slab_link *next = s->link.next, *prev = s->link.prev;

    if (unlikely(next->prev != &s->link) || unlikely(prev->next != &s->link))
        misuse_records_overwritten(s);
    prev->next = next;
    next->prev = prev;
}

/* What a record must bear to be taken for an owner's: who can write a slab's owner cannot make
 * one. */
static uint64_t seal_of(const struct owner *o)
{
    return ~word_of((const struct block *)o, (const struct block *)o, 0);
}

/* The owner of s, at this moment. */
static struct owner *owner_of(const struct slab *s)
{
    struct owner *o = atomic_load_explicit(&s->owner, memory_order_acquire);

    if (unlikely(o->seal != seal_of(o)))
        misuse_records_overwritten(s);
    return o;
}

void owner_init(struct owner *o, uint32_t id)
{
    o->id = id;
    o->seal = seal_of(o);
    for (unsigned c = 0; c < CLASSES; c++) {
        list_init(&o->cls[c].usable);
        list_init(&o->cls[c].full);
    }
}

/* ---- taking blocks out of one slab ---- */

/* Moves up to want blocks from the freelist to the front of c. */
static void take_free(struct owner *o, struct slab *s, unsigned cls, uint32_t want, struct chain *c)
{
    uint32_t n = 0;
    bool lost = false;

    while (n < want && s->freelist) {
        struct block *b = s->freelist;

        s->freelist = block_unlink_in_slab(b, cls, HAK_AT_REFILL, &lost);
        if (unlikely(lost))
            break;
        block_link(b, c->head, cls);
        c->head = b;
        n++;
    }
    /* A damaged link and what lies behind it can be given to nobody: counted as used. */
    slab_set_used(s, s->used + (lost ? s->nfree : n));
    s->nfree = (uint16_t)(lost ? 0 : s->nfree - n);
    c->count += n;
    hak_check(slab_check(s));
    if (n)
        trace_sll_refill(slab_ref(s), o->id, HAK_FREELIST, n, s->used);
}

/* Carving touches memory that may never have been touched: so much at a time, or so many blocks,
 * since a page fault costs more than the way here. */
#define CARVE_BYTES 4096
#define CARVE_MIN 4

/* Carves up to want blocks that were never handed out in this life to the front of c. */
static void take_carved(struct owner *o, struct slab *s, unsigned cls, uint32_t want,
                        struct chain *c)
{
    unsigned no = slab_no(s);
    uint32_t stride = geometry[cls].stride;
    uint32_t most = stride * CARVE_MIN < CARVE_BYTES ? CARVE_BYTES / stride : CARVE_MIN;
    uint32_t carved = info_carved(slab_info(s));
    uint32_t n = slab_capacity(cls, no) - carved;
    char *end;

    if (!n)
        return;
    n = n < want ? n : want;
    n = n < most ? n : most;
    end = slab_blocks(slab_ss(s), no) + (size_t)(carved + n) * stride;
    /* Backwards, so that the chain hands them out in address order. */
    for (uint32_t i = 0; i < n; i++) {
        struct block *b = (struct block *)(end -= stride);

        block_link(b, c->head, cls);
        c->head = b;
    }
    slab_set_info(s, info_make(cls, SLAB_ACTIVE, carved + n));
    slab_set_used(s, s->used + n);
    c->count += n;
    hak_check(slab_check(s));
    trace_sll_refill(slab_ref(s), o->id, HAK_CARVED, n, s->used);
}

/* Brings what others gave back of s to its freelist. */
static void collect_remote(struct owner *o, struct slab *s, unsigned cls, uintptr_t flags)
{
    struct block *chain = slab_remote_take(s, flags);
    unsigned n = slab_remote_collect(s, chain, cls);

    hak_check(slab_check(s));
    if (n)
        trace_remote_drain(slab_ref(s), o->id, n, s->used);
}

/* ---- places of a slab ---- */

void owner_put_full(struct owner *o, struct slab *s, unsigned cls)
{
    list_push(&o->cls[cls].full, s);
}

void owner_set_current(struct owner *o, struct slab *s, unsigned cls)
{
    hak_assert(!o->cls[cls].current);
    o->cls[cls].current = s;
}

static bool is_legacy(const struct owner *o)
{
    return o->id == OWNER_LEGACY;
}

/* s, o's, has just got blocks back: give it to the pool if nothing of it is live, or see that
 * it is found again. was_idle: it had no free block before. */
static void settle(struct owner *o, struct slab *s, unsigned cls, bool was_idle)
{
    struct owner_class *oc = &o->cls[cls];
    bool current = oc->current == s;

    if (config.recycle == RECYCLE_OFF && !is_legacy(o)) {
        if (!current && s->used == 0)
            pool_forget(cls);
        return;
    }
    /* While QUEUED is set s is, or will be, on our pending list: settled when it comes off. */
    if (s->used == 0 && !is_legacy(o) &&
        !(atomic_load_explicit(&s->remote, memory_order_acquire) & REMOTE_QUEUED)) {
        if (current)
            oc->current = NULL;
        else
            list_unlink(s);
        pool_release(o, s);
    } else if (!current && was_idle && s->freelist) {
        list_unlink(s);
        list_push(&oc->usable, s);
    }
}

/* What follows s, o's, on the pending list. */
static struct slab *next_pending(const struct owner *o, const struct slab *s)
{
    struct slab *next = s->pending_next;

    if (unlikely(next &&
                 (!ss_has(next) || atomic_load_explicit(&next->owner, memory_order_relaxed) != o)))
        misuse_records_overwritten(s);
    return next;
}

/* Works off the pending list: slabs of which other threads gave blocks back. */
static void collect_pending(struct owner *o, unsigned cls)
{
    struct owner_class *oc = &o->cls[cls];
    struct slab *s;

    if (!atomic_load_explicit(&oc->pending, memory_order_relaxed))
        return;
    s = atomic_exchange_explicit(&oc->pending, NULL, memory_order_acquire);
    while (s) {
        struct slab *next = next_pending(o, s);
        bool was_idle = !s->freelist;

        /* From here on s may be queued again, so next had to be read first. */
        collect_remote(o, s, cls, REMOTE_QUEUED);
        settle(o, s, cls, was_idle);
        s = next;
    }
}

/* ---- taking ---- */

/* The slab to take from next, made current; NULL if o's own slabs have nothing to give. */
static struct slab *next_current(struct owner *o, unsigned cls)
{
    struct owner_class *oc = &o->cls[cls];
    struct slab *s;

    if (config.recycle == RECYCLE_OFF && !is_legacy(o))
        return NULL;
    collect_pending(o, cls);
    /* Collecting may have refilled the current slab itself. */
    if (oc->current)
        return oc->current;
    if (list_empty(&oc->usable))
        return NULL;
    s = list_first(&oc->usable);
    list_unlink(s);
    oc->current = s;
    return s;
}

/* Before s, o's current slab without a free block, is carved: is there another that has one? Then
 * that is made current, and s waits behind all others. */
static struct slab *instead_of_carving(struct owner *o, struct slab *s, unsigned cls)
{
    struct owner_class *oc = &o->cls[cls];

    if (config.recycle == RECYCLE_OFF && !is_legacy(o))
        return s;
    collect_pending(o, cls);
    if (oc->current != s || s->freelist || list_empty(&oc->usable) ||
        !list_first(&oc->usable)->freelist)
        return oc->current;
    list_push_last(&oc->usable, s);
    oc->current = NULL;
    return next_current(o, cls);
}

struct chain owner_take(struct owner *o, unsigned cls, uint32_t want)
{
    struct owner_class *oc = &o->cls[cls];
    struct chain c = {NULL, 0};
    struct slab *s = oc->current;

    while (s || (s = next_current(o, cls))) {
        take_free(o, s, cls, want, &c);
        if (!c.count) {
            collect_remote(o, s, cls, 0);
            take_free(o, s, cls, want, &c);
        }
        if (!c.count) {
            struct slab *other = instead_of_carving(o, s, cls);

            if (other != s) {
                s = other;
                continue;
            }
            take_free(o, s, cls, want, &c);
        }
        if (!c.count)
            take_carved(o, s, cls, want, &c);
        if (c.count)
            return c;
        oc->current = NULL;
        owner_put_full(o, s, cls);
        s = NULL;
    }
    return c;
}

/* ---- giving ---- */

/* Tells the owner of s, flagged QUEUED by us, that its remote queue is no longer empty. */
static void notify(struct slab *s, unsigned cls)
{
    /* QUEUED keeps the owner from changing. */
    struct owner *o = owner_of(s);
    _Atomic(struct slab *) *pending = &o->cls[cls].pending;
    struct slab *first = atomic_load_explicit(pending, memory_order_relaxed);

    do {
        s->pending_next = first;
    } while (!atomic_compare_exchange_weak_explicit(pending, &first, s, memory_order_release,
                                                    memory_order_relaxed));
}

static void give_remote(struct slab *s, struct block *first, struct block *last, uint32_t n,
                        unsigned cls)
{
    uintptr_t flags;

    trace_remote_push(slab_ref(s), n);
    flags = slab_remote_push(s, first, last, cls);
    if (!flags)
        notify(s, cls);
    else if (flags & REMOTE_UNOWNED)
        tick_want();
}

void owner_give_one(struct block *b, unsigned cls)
{
    give_remote(ss_slab(ss_of(b), b), b, b, 1, cls);
}

/* Puts a run of blocks of o's own slab s on its freelist. */
static void give_own(struct owner *o, struct slab *s, struct block *first, struct block *last,
                     uint32_t n, unsigned cls)
{
    bool was_idle = !s->freelist;

    if (unlikely(n > s->used)) {
        trace_double_free_late(slab_ref(s), first);
        slab_give_up_free(s, info_carved(slab_info(s)));
        return;
    }
    block_link_in_slab(last, s->freelist, cls);
    s->freelist = first;
    s->nfree = (uint16_t)(s->nfree + n);
    slab_set_used(s, s->used - n);
    hak_check(slab_check(s));
    settle(o, s, cls, was_idle);
}

void owner_give(struct owner *o, struct chain c, unsigned cls)
{
    uint32_t own = 0, remote = 0, slabs = 0;
    bool lost = false;

    while (c.head) {
        struct block *first = c.head, *last = first;
        struct superslab *ss = ss_of(first);
        struct slab *s = ss_slab(ss, first);
        uintptr_t slab_base = (uintptr_t)first >> SLAB_LG;
        uint32_t n = 1;

        c.head = block_unlink(first, cls, HAK_AT_DRAIN, &lost);
        if (unlikely(lost))
            break;
        /* Neighbours in the chain are often of one slab: one push for all of them. */
        while (c.head && (uintptr_t)c.head >> SLAB_LG == slab_base) {
            struct block *b = c.head;

            c.head = block_unlink(b, cls, HAK_AT_DRAIN, &lost);
            if (unlikely(lost))
                break;
            block_link_in_slab(b, first, cls);
            first = b;
            n++;
        }
        slabs++;
        if (atomic_load_explicit(&s->owner, memory_order_relaxed) == o) {
            own += n;
            give_own(o, s, first, last, n, cls);
        } else {
            remote += n;
            give_remote(s, first, last, n, cls);
        }
    }
    trace_sll_drain(cls, o->id, own, remote, slabs);
}

#ifdef HAK_DEBUG
/* s, on the list l of o's slabs of class cls. */
static void place_check(const struct owner *o, const struct slab_link *l, unsigned cls)
{
    const struct slab *s = (const struct slab *)l;

    hak_assert(l->next->prev == l && l->prev->next == l);
    hak_assert(s != o->cls[cls].current);
    hak_assert(atomic_load_explicit(&s->owner, memory_order_relaxed) == o);
    hak_assert(slab_cls(s) == cls);
    slab_check(s);
}

/* Every slab of o is where it should be. */
static void owner_check(const struct owner *o)
{
    hak_assert(o->seal == seal_of(o));
    for (unsigned c = 0; c < CLASSES; c++) {
        const struct owner_class *oc = &o->cls[c];

        for (const struct slab_link *l = oc->usable.next; l != &oc->usable; l = l->next)
            place_check(o, l, c);
        for (const struct slab_link *l = oc->full.next; l != &oc->full; l = l->next) {
            place_check(o, l, c);
            hak_assert(!((const struct slab *)l)->freelist ||
                       (config.recycle == RECYCLE_OFF && !is_legacy(o)));
        }
        if (!oc->current)
            continue;
        hak_assert(atomic_load_explicit(&oc->current->owner, memory_order_relaxed) == o);
        slab_check(oc->current);
    }
}
#endif

void owner_collect(struct owner *o)
{
    hak_check(owner_check(o));
    if (config.recycle == RECYCLE_OFF)
        return;
    for (unsigned c = 0; c < CLASSES; c++) {
        struct slab *s;

        collect_pending(o, c);
        s = o->cls[c].current;
        if (s) {
            bool was_idle = !s->freelist;

            collect_remote(o, s, c, 0);
            settle(o, s, c, was_idle);
        }
    }
}

/* ---- changing hands ---- */

void owner_adopt(struct owner *o, struct slab *s, unsigned cls)
{
    hak_assert(!atomic_load_explicit(&s->owner, memory_order_relaxed));
    hak_assert(atomic_load_explicit(&s->remote, memory_order_relaxed) & REMOTE_UNOWNED);
    slab_set_owner(s, o, cls);
    trace_slab_adopt(slab_ref(s), o->id, s->used);
    /* Clearing UNOWNED releases the new owner to those who will read it. */
    collect_remote(o, s, cls, REMOTE_UNOWNED);
}

/* Flags s UNOWNED so that nobody is told of its blocks any more. Somebody who has set QUEUED
 * is about to put s on our pending list: wait for it there. */
static void disown(struct owner *o, struct slab *s, unsigned cls)
{
    uintptr_t old = atomic_load_explicit(&s->remote, memory_order_relaxed);
    unsigned spins = 0;

    for (;;) {
        if (!(old & REMOTE_QUEUED)) {
            if (atomic_compare_exchange_weak_explicit(&s->remote, &old, old | REMOTE_UNOWNED,
                                                      memory_order_acq_rel, memory_order_relaxed))
                return;
            continue;
        }
        struct slab *p = atomic_exchange_explicit(&o->cls[cls].pending, NULL, memory_order_acquire);

        while (p) {
            struct slab *next = next_pending(o, p);

            collect_remote(o, p, cls, REMOTE_QUEUED);
            p = next;
        }
        old = atomic_load_explicit(&s->remote, memory_order_relaxed);
        if (++spins > 100)
            os_sleep_ns(100000);
        else
            os_yield();
    }
}

/* Gives up s, in none of o's places any more: for adoption, or to the pool if nothing is live. True
 * if it was published. */
static bool publish(struct owner *o, struct slab *s, unsigned cls)
{
    disown(o, s, cls);
    if (s->used == 0 && !is_legacy(o)) {
        /* No block is out that could come back: nobody else touches the queue. */
        collect_remote(o, s, cls, REMOTE_FLAGS);
        pool_release(o, s);
        return false;
    }
    trace_slab_publish(slab_ref(s), o->id, s->used);
    atomic_store_explicit(&s->owner, NULL, memory_order_relaxed);
    pool_publish(s);
    return true;
}

void owner_look_after(struct owner *o, struct slab *s)
{
    unsigned cls = slab_cls(s);

    if (atomic_load_explicit(&s->remote, memory_order_relaxed) & ~REMOTE_FLAGS) {
        owner_adopt(o, s, cls);
        (void)publish(o, s, cls);
    } else {
        pool_publish(s);
    }
}

uint32_t owner_publish_all(struct owner *o)
{
    uint32_t n = 0;

    /* The original failure had no such thing; its slabs wait for the owner's next thread. */
    if (config.recycle == RECYCLE_OFF)
        return 0;
    owner_collect(o);
    for (unsigned c = 0; c < CLASSES; c++) {
        struct owner_class *oc = &o->cls[c];

        if (oc->current) {
            n += publish(o, oc->current, c);
            oc->current = NULL;
        }
        for (struct slab_link *l = &oc->full; l; l = l == &oc->full ? &oc->usable : NULL) {
            while (!list_empty(l)) {
                struct slab *s = list_first(l);

                list_unlink(s);
                n += publish(o, s, c);
            }
        }
    }
    return n;
}

/* Every QUEUED flag that is not on our pending list was set by a thread that is gone: forget
 * the list and tell ourselves of every slab that has something. */
static void requeue(struct slab *s, unsigned cls)
{
    uintptr_t old = atomic_load_explicit(&s->remote, memory_order_relaxed);

    atomic_store_explicit(&s->remote, old & ~REMOTE_QUEUED, memory_order_relaxed);
    if (old & ~REMOTE_FLAGS) {
        atomic_store_explicit(&s->remote, old | REMOTE_QUEUED, memory_order_relaxed);
        notify(s, cls);
    }
}

static void recarve_all(struct slab_link *list, struct slab_link *to)
{
    for (struct slab_link *l = list->next, *next; l != list; l = next) {
        struct slab *s = (struct slab *)l;

        next = l->next;
        if (s->used)
            continue;
        slab_uncarve(s);
        list_unlink(s);
        list_push(to, s);
    }
}

void owner_recarve(struct owner *o)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        struct owner_class *oc = &o->cls[c];

        if (oc->current && !oc->current->used)
            slab_uncarve(oc->current);
        recarve_all(&oc->full, &oc->usable);
    }
}

void owner_begin_anew(struct owner *o)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        struct owner_class *oc = &o->cls[c];

        oc->current = NULL;
        list_init(&oc->usable);
        list_init(&oc->full);
        atomic_store_explicit(&oc->pending, NULL, memory_order_relaxed);
    }
    o->gone = false;
    o->left = 0;
}

void owner_take_over(struct owner *o, struct slab *s, unsigned cls)
{
    slab_lose_free(s);
    if (!s->used)
        slab_uncarve(s);
    list_push(slab_has_block(s, cls) ? &o->cls[cls].usable : &o->cls[cls].full, s);
}

void owner_after_fork(struct owner *o)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        struct owner_class *oc = &o->cls[c];

        atomic_store_explicit(&oc->pending, NULL, memory_order_relaxed);
        if (oc->current)
            requeue(oc->current, c);
        for (struct slab_link *l = oc->full.next; l != &oc->full; l = l->next)
            requeue((struct slab *)l, c);
        for (struct slab_link *l = oc->usable.next; l != &oc->usable; l = l->next)
            requeue((struct slab *)l, c);
    }
}
