#include "at_the_end.h"

#include <unistd.h>

#include "alloc.h"
#include "config.h"
#include "registry.h"
#include "thread.h"
#include "tick.h"

/* Blocks of s that wait in its remote queue. */
static uint32_t queued(const struct slab *s)
{
    const struct block *b = (const struct block *)(s->remote & ~REMOTE_FLAGS);
    uint32_t n = 0;

    for (; b; b = block_next(b, slab_cls(s)))
        n++;
    return n;
}

/* used counts what is not on the freelist; no list of ours has blocks after the drain, so what is
 * not in the queue either would be live, or lost. */
static void nothing_is_live(void)
{
    for (uint32_t id = 1; id <= registry_count(); id++) {
        struct superslab *ss = registry_ss(id);

        for (unsigned no = 0; ss && no < ss->slabs; no++) {
            struct slab *s = &ss->slab[no];

            if (info_state(slab_info(s)) == SLAB_ACTIVE && s->used != queued(s))
                broken("SuperSlab %u slab %u, class %u: %u used, %u queued, and nothing is live",
                       id, no, slab_cls(s), s->used, queued(s));
        }
    }
}

/* Allocates blocks of class c until the shared pool refuses, which happens when nothing is EMPTY
 * and nothing published any more: so everything has been adopted. Then gives all back. */
static void adopt_all(unsigned c, uint32_t stride)
{
    struct hak_stats st;
    uint64_t refused;
    void **all = NULL, **p;

    hak_get_stats(&st);
    refused = st.cls[c].shared_fail;
    hak_set_cap(c, 1);
    do {
        p = hak_malloc(stride < sizeof(void *) ? sizeof(void *) : stride);
        if (!p)
            broken("no memory for %u bytes", stride);
        *p = all;
        all = p;
        hak_get_stats(&st);
    } while (st.cls[c].shared_fail == refused);
    while ((p = all)) {
        all = *p;
        hak_free(p);
    }
}

/* A helper thread that ends at this moment is counted in one place before the other. */
static bool threads_add_up(struct hak_stats *st)
{
    for (int tries = 0; tries < 1000; tries++) {
        hak_get_stats(st);
        if (st->threads_started == st->threads_ended + thread_live())
            return true;
        usleep(1000);
    }
    return false;
}

static void nothing_is_left(bool memory_ended)
{
    struct hak_stats st;

    hak_drain();
    nothing_is_live();
    hak_get_stats(&st);
    if (st.hdr_resets || st.double_frees || st.invalid_frees || (st.ooms && !memory_ended))
        broken("%lu header resets, %lu double frees, %lu invalid frees, %lu out of memory",
               st.hdr_resets, st.double_frees, st.invalid_frees, st.ooms);
    if (st.mid.blocks || st.large.blocks || st.huge.blocks)
        broken("%lu mid, %lu large, %lu huge blocks, and nothing is live", st.mid.blocks,
               st.large.blocks, st.huge.blocks);
    /* A thread without memory for its owner never begins. */
    if (config.use_superslab && !config.fail_map && !threads_add_up(&st))
        broken("%lu threads began and %lu ended", st.threads_started, st.threads_ended);
    /* What ended threads published stays ACTIVE until somebody adopts it; without recycling
     * nobody does. Otherwise this thread does, and then not one slab may stay. */
    if (config.recycle == RECYCLE_OFF)
        return;
    for (unsigned c = 0; c < CLASSES; c++)
        if (st.cls[c].active)
            adopt_all(c, geometry[c].stride);
    hak_drain();
    nothing_is_live();
    hak_get_stats(&st);
    for (unsigned c = 0; c < CLASSES; c++)
        if (st.cls[c].active)
            broken("class %u: %u slabs are ACTIVE, and nothing is live", c, st.cls[c].active);
}

void at_the_end(bool memory_ended)
{
    /* Nobody but this thread is at work. */
    tick_fork(FORK_LOCK);
    nothing_is_left(memory_ended);
    tick_fork(FORK_PARENT);
}
