#include "census.h"

#include <string.h>

#include "legacy.h"
#include "reclaim.h"

#if HAK_TRACE

/* Links of remote queues that one census follows: some milliseconds. */
#define LINKS_MOST (1u << 17)
#define SPARSE 4u /* a quarter */

/* At the last census: the queues there were, and their blocks. */
static struct {
    uint64_t queues, blocks;
} last;

struct walk {
    struct census *census;
    const struct census_taker *taker;
    uint32_t step; /* every so many queues one is counted; the others are as long on average */
    uint64_t queues, counted_queues, counted;
    uint64_t queues_of[CLASSES], counted_queues_of[CLASSES], counted_of[CLASSES];
};

/* The blocks in the remote queue of s; 1 if it has some that are not to be counted. */
static uint32_t remote_of(struct walk *w, const struct slab *s, unsigned cls)
{
    uint32_t n;

    if (!slab_remote_count(s, 1))
        return 0;
    w->queues_of[cls]++;
    if (w->queues++ % w->step)
        return 1;
    n = slab_remote_count(s, SLAB_SIZE / 8);
    w->counted_queues++;
    w->counted_queues_of[cls]++;
    w->counted += n;
    w->counted_of[cls] += n;
    return n;
}

static void count_active(struct walk *w, const struct slab *s, uint32_t info, uint32_t remote)
{
    struct census_class *c = &w->census->cls[info_cls(info)];
    uint32_t carved = info_carved(info), used = slab_used(s), live;

    /* Both move meanwhile. */
    if (used > carved)
        used = carved;
    live = used - (remote < used ? remote : used);
    c->slabs++;
    c->used += used;
    c->carved += carved;
    c->capacity += slab_capacity(info_cls(info), slab_no(s));
    if (used && live <= carved / SPARSE) {
        c->sparse++;
        c->sparse_free += carved - used;
    }
}

static void count_slab(struct walk *w, const struct superslab *ss, const struct slab *s,
                       uint32_t info)
{
    bool active = info_state(info) == SLAB_ACTIVE;
    uint32_t remote = active ? remote_of(w, s, info_cls(info)) : 0;

    w->census->slabs++;
    if (active)
        count_active(w, s, info, remote);
    else if (!(ss->purged >> slab_no(s) & 1))
        w->census->cls[info_cls(info)].kept += info_carved(info);
    if (w->taker->slab)
        w->taker->slab(s, info, remote);
}

static void count_superslab(struct superslab *ss, void *walk)
{
    struct walk *w = walk;

    w->census->superslabs++;
    if (w->taker->superslab)
        w->taker->superslab(ss);
    for (unsigned no = 0; no < ss->slabs; no++) {
        uint32_t info = slab_info(&ss->slab[no]);

        if (info_state(info) != SLAB_UNUSED)
            count_slab(w, ss, &ss->slab[no], info);
    }
}

/* Queues that were not counted are as long as those of the class that were. */
static void estimate(struct walk *w)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        uint64_t mean_of = w->counted_queues_of[c] ? w->counted_queues_of[c] : w->counted_queues;
        uint64_t blocks = w->counted_queues_of[c] ? w->counted_of[c] : w->counted;

        w->census->cls[c].remote = mean_of ? blocks * w->queues_of[c] / mean_of : 0;
    }
    w->census->exact = w->queues == w->counted_queues;
    last.queues = w->queues;
    last.blocks = w->counted_queues ? w->counted * w->queues / w->counted_queues : 0;
}

void census_take(struct census *c, const struct census_taker *taker)
{
    struct walk w = {.census = c, .taker = taker, .step = 1 + (uint32_t)(last.blocks / LINKS_MOST)};

    memset(c, 0, sizeof(*c));
    c->whole = reclaim_each(count_superslab, &w);
    legacy_each(count_superslab, &w);
    estimate(&w);
}

#endif
