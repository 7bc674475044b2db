/*
 * What gives ACE's memory back: the tick, which ages what is free, and a reclaim when the system
 * refuses memory. One lock lets one of them walk the regions at a time; the layers' locks are
 * taken below it, and a fork takes all.
 */

#include "ace.h"
#include "ace_cache.h"
#include "ace_huge.h"
#include "ace_large.h"
#include "ace_mid.h"
#include "kept.h"
#include "lock.h"

/* What is found free at two of these in a row goes back. */
#define AGE_NS 400000000u

static struct {
    struct lock lock;
    uint64_t aged_ns;
} tend;

void ace_tick(uint64_t now_ns)
{
    if (!lock_try(&tend.lock))
        return;
    if (now_ns - tend.aged_ns >= AGE_NS) {
        tend.aged_ns = now_ns;
        (void)cache_flush_untouched();
        (void)mid_tend(false);
        (void)space_tend(&large_space, false);
        (void)huge_tend(false);
        (void)kept_retry();
    }
    lock_give(&tend.lock);
}

bool ace_idle(void)
{
    uint64_t cached[2];

    cache_bytes(cached);
    return !cached[0] && !cached[1] && !mid_has_idle() && !space_has_idle(&large_space) &&
           !huge_has_idle();
}

bool ace_reclaim(void)
{
    size_t given;

    if (lost())
        return false;
    lock_take(&tend.lock);
    (void)cache_flush_all();
    given = mid_tend(true) + space_tend(&large_space, true) + huge_tend(true) + kept_retry();
    lock_give(&tend.lock);
    return given != 0;
}

static void space_stats(struct space *sp, struct hak_layer_stats *out)
{
    lock_take(&sp->lock);
    out->blocks = sp->blocks;
    out->used = sp->used;
    out->peak = sp->peak;
    out->mapped = sp->mapped;
    out->limit = *sp->limit;
    out->idle = (uint64_t)sp->dirty_free << UNIT_LG;
    lock_give(&sp->lock);
}

void ace_layer_stats(enum hak_ace_layer layer, struct hak_layer_stats *out)
{
    uint64_t cached[2];

    /* A thread in the middle of a fork holds the locks. */
    if (trace_busy())
        return;
    if (layer == HAK_HUGE) {
        huge_stats(out);
        return;
    }
    space_stats(layer == HAK_MID ? &mid_space : &large_space, out);
    cache_bytes(cached);
    out->cached = cached[layer == HAK_LARGE];
    if (layer == HAK_MID)
        out->idle += mid_unpurged();
}

void ace_fork(enum fork_step step)
{
    bool tended;

    if (step == FORK_CHILD) {
        /* What lay in caches, or was on its way, belongs to threads that are not here. */
        cache_forget_all();
        ace_forget_deferred();
        mid_after_fork();
        large_after_fork();
    }
    /* No two of them but tend's are held at once by anybody else: given in any order. */
    tended = lost_step(&tend.lock, step);
    if (lost_step(&mid_space.lock, step) || tended)
        mid_sort_anew();
    if (lost_step(&large_space.lock, step) || tended)
        large_sort_anew();
    huge_fork(step);
}
