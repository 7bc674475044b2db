#include "orphans.h"

#include "config.h"
#include "demand.h"
#include "owner.h"
#include "pool.h"
#include "registry.h"
#include "thread.h"
#include "tiny.h"

/* s belonged to a thread that is gone, which may have been in the middle of changing it: its
 * freelist is given up. What is in use was counted before it was handed out. */
static void seize(struct slab *s)
{
    uintptr_t remote = atomic_load_explicit(&s->remote, memory_order_relaxed);

    slab_lose_free(s);
    slot_lost_free(slot_of(s));
    atomic_store_explicit(&s->remote, (remote & ~REMOTE_QUEUED) | REMOTE_UNOWNED,
                          memory_order_relaxed);
}

/* A list of free blocks that a thread took along: they are not in use, and nobody will bring them
 * back. Their slabs are carved anew when nothing of them is live. */
static void lose_list(const struct block *b, unsigned cls)
{
    for (; b && ss_of(b) && block_intact(b, cls); b = block_next(b, cls)) {
        struct slab *s = ss_slab(ss_of(b), b);

        if (!s->used)
            return;
        slab_set_used(s, s->used - 1u);
    }
}

static void lose_lists(const struct tls *of)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        lose_list(of->sll[c].head, c);
        lose_list(of->away[c].head, c);
    }
}

static void each_superslab(void (*each)(struct superslab *ss, void *arg), void *arg)
{
    uint32_t last = registry_count();

    for (uint32_t id = 1; id <= last; id++) {
        struct superslab *ss = registry_ss(id);

        if (ss)
            each(ss, arg);
    }
}

/* Counts the ACTIVE slabs, and seizes those whose owners are gone. Without recycling, a slab that
 * is not its owner's current one is never looked at again. */
static void sort(struct superslab *ss, void *active)
{
    for (unsigned no = 0; no < ss->slabs; no++) {
        struct slab *s = &ss->slab[no];
        struct owner *o = atomic_load_explicit(&s->owner, memory_order_relaxed);
        bool gone = o && o->gone && config.recycle != RECYCLE_OFF;

        if (info_state(slab_info(s)) != SLAB_ACTIVE)
            continue;
        if (gone && !s->used) {
            pool_take_back(ss, no);
            continue;
        }
        /* Published: who adopts it may carve it anew. */
        if (!o && !s->used)
            slab_uncarve(s);
        ((uint32_t *)active)[slab_cls(s)]++;
        if (gone)
            seize(s);
    }
}

void orphans_seize(bool lists)
{
    uint32_t active[CLASSES] = {0};

    if (lists)
        thread_each_gone(lose_lists);
    if (tls.owner)
        owner_recarve(tls.owner);
    each_superslab(sort, active);
    for (unsigned c = 0; c < CLASSES; c++)
        demand_count_anew(c, active[c]);
}

/* The slabs that seize() took; new threads' are not among them. */
static void publish(struct superslab *ss, void *unused)
{
    (void)unused;
    for (unsigned no = 0; no < ss->slabs; no++) {
        struct slab *s = &ss->slab[no];
        struct owner *o = atomic_load_explicit(&s->owner, memory_order_relaxed);

        if (info_state(slab_info(s)) != SLAB_ACTIVE || !o || !o->gone)
            continue;
        o->left++;
        trace_slab_publish(slab_ref(s), o->id, s->used);
        atomic_store_explicit(&s->owner, NULL, memory_order_relaxed);
        pool_publish(s);
    }
}

void orphans_publish(void)
{
    if (config.recycle != RECYCLE_OFF)
        each_superslab(publish, NULL);
    thread_gone_serve_again();
}
