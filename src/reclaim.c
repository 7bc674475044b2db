#include "reclaim.h"

#include <errno.h>

#include "demand.h"
#include "lock.h"
#include "os.h"
#include "pool.h"
#include "registry.h"
#include "thread.h"
#include "unbound.h"

static struct {
    struct lock lock;
    /* Unmapped as soon as nobody can be reading them any more. */
    struct superslab *retired;
    /* EMPTY slabs whose memory is there and may be taken, at the last look. */
    _Atomic uint32_t resident[CLASSES];
    _Atomic bool done;
} reclaim;

static uint32_t bits(uint32_t n)
{
    return (uint32_t)(((uint64_t)1 << n) - 1);
}

static uint32_t info_of(struct superslab *ss, unsigned no)
{
    return atomic_load_explicit(&ss_info(ss)[no], memory_order_relaxed);
}

static bool is_empty(uint32_t info)
{
    return info_state(info) == SLAB_EMPTY || info_state(info) == SLAB_EMPTY_LISTED;
}

/* EMPTY slabs of a class whose memory is kept for the next burst: an eighth of its demand. */
static uint32_t cushion(unsigned cls)
{
    return 1 + demand_active(cls) / 8;
}

/* ---- purging ---- */

/* Purges those slabs of mask that are EMPTY still. Returns the bytes. */
static size_t purge(struct superslab *ss, uint32_t mask)
{
    uint32_t was[SS_MAX_SLABS], parked = 0;
    uint64_t began = os_now_ns();
    struct ss_purged gone;

    for (uint32_t left = mask; left; left &= left - 1) {
        unsigned no = (unsigned)__builtin_ctz(left);

        if (pool_park(ss, no, &was[no]))
            parked |= 1u << no;
    }
    if (!parked)
        return 0;
    gone = ss_purge(ss, parked);
    ss->purged |= gone.slabs;
    ss->refused = (ss->refused | parked) & ~gone.slabs;
    if (gone.slabs)
        trace_superslab_purge((uintptr_t)ss, gone.slabs, gone.bytes, os_now_ns() - began);
    for (uint32_t left = parked; left; left &= left - 1) {
        unsigned no = (unsigned)__builtin_ctz(left);

        pool_unpark(ss, no, was[no]);
    }
    return gone.bytes;
}

/* ---- unmapping ---- */

/* Nothing of ss is live, and its memory went back or has long been offered. */
static bool is_idle(struct superslab *ss)
{
    uint32_t unused = atomic_load_explicit(&ss->unused, memory_order_relaxed);

    return (unused | (ss->seen_empty & (ss->purged | ss->refused))) == bits(ss->slabs);
}

/* Takes all slabs of ss out of everybody's reach and ss out of the registry; false if a thread
 * was faster with one of them. */
static bool retire(struct superslab *ss)
{
    uint32_t was[SS_MAX_SLABS], parked = 0;
    uint32_t unused = unbound_take(ss);
    unsigned no;

    for (no = 0; no < ss->slabs; no++) {
        if (unused >> no & 1)
            continue;
        if (!pool_park(ss, no, &was[no]))
            break;
        parked |= 1u << no;
    }
    if (no < ss->slabs) {
        for (; parked; parked &= parked - 1) {
            no = (unsigned)__builtin_ctz(parked);
            pool_unpark(ss, no, was[no]);
        }
        unbound_give(ss, unused);
        return false;
    }
    trace_superslab_unmap((uintptr_t)ss, ss->lg, ss->slabs, HAK_POOL, 0);
    ss->retired_at = pool_retire(ss);
    ss->next_kept = reclaim.retired;
    reclaim.retired = ss;
    return true;
}

/* Unmaps the retired SuperSlabs that nobody can be reading. Returns how many. */
static unsigned unmap_retired(void)
{
    struct superslab **place = &reclaim.retired;
    unsigned n = 0;

    while (*place) {
        struct superslab *ss = *place;

        if (!thread_all_past(ss->retired_at)) {
            place = &ss->next_kept;
            continue;
        }
        *place = ss->next_kept;
        unbound_unmap(ss);
        n++;
    }
    return n;
}

/* ---- looking ---- */

/* What has been EMPTY since the last look. */
static uint32_t look(struct superslab *ss)
{
    uint32_t reused = atomic_exchange_explicit(&ss->reused, 0, memory_order_relaxed);
    uint32_t empty = 0, aged;

    for (unsigned no = 0; no < ss->slabs; no++)
        if (is_empty(info_of(ss, no)))
            empty |= 1u << no;
    ss->purged &= ~reused;
    ss->refused &= ~reused;
    aged = empty & ss->seen_empty & ~reused;
    ss->seen_empty = empty;
    return aged;
}

/* Purges aged slabs of ss, as many of each class as its surplus allows, and tries those again that
 * were refused. */
static void purge_surplus(struct superslab *ss, uint32_t aged, uint32_t surplus[CLASSES])
{
    uint32_t chosen = aged & ss->refused;

    for (uint32_t left = aged & ~(ss->purged | ss->refused); left; left &= left - 1) {
        unsigned no = (unsigned)__builtin_ctz(left);
        unsigned cls = info_cls(info_of(ss, no));

        if (!surplus[cls])
            continue;
        surplus[cls]--;
        chosen |= 1u << no;
    }
    if (chosen)
        (void)purge(ss, chosen);
}

void reclaim_aged(void)
{
    uint32_t last = registry_count(), resident[CLASSES] = {0}, surplus[CLASSES], idle = 0;
    bool more = false;

    /* Somebody who reclaims at once does more than we would. */
    if (!lock_try(&reclaim.lock))
        return;
    for (unsigned c = 0; c < CLASSES; c++) {
        uint32_t before = atomic_load_explicit(&reclaim.resident[c], memory_order_relaxed);
        uint32_t keep = cushion(c);

        surplus[c] = before > keep ? before - keep : 0;
    }
    for (uint32_t id = 1; id <= last; id++) {
        struct superslab *ss = registry_ss(id);
        bool was_idle;
        uint32_t aged;

        if (!ss)
            continue;
        was_idle = is_idle(ss);
        aged = look(ss);
        /* One idle SuperSlab stays, for the next who needs one. */
        if (was_idle && is_idle(ss) && idle++ > 0 && retire(ss))
            continue;
        purge_surplus(ss, aged, surplus);
        for (uint32_t left = ss->seen_empty & ~(ss->purged | ss->refused); left; left &= left - 1)
            resident[info_cls(info_of(ss, (unsigned)__builtin_ctz(left)))]++;
        more |= is_idle(ss) && !was_idle;
    }
    (void)unmap_retired();
    for (unsigned c = 0; c < CLASSES; c++) {
        more |= resident[c] > cushion(c);
        atomic_store_explicit(&reclaim.resident[c], resident[c], memory_order_relaxed);
    }
    more |= reclaim.retired != NULL;
    atomic_store_explicit(&reclaim.done, !more, memory_order_relaxed);
    lock_give(&reclaim.lock);
}

bool reclaim_done(void)
{
    return atomic_load_explicit(&reclaim.done, memory_order_relaxed);
}

/* Five milliseconds at most. */
#define WAITS 50
#define WAIT_NS 100000u

/* Not for ever: who asks may hold locks of the tracer's that a forking thread, which holds ours,
 * waits for. */
static bool lock_soon(void)
{
    for (unsigned i = 0; i < WAITS; i++) {
        if (lock_try(&reclaim.lock))
            return true;
        os_sleep_ns(WAIT_NS);
    }
    return false;
}

static bool anything_empty(void)
{
    for (unsigned c = 0; c < CLASSES; c++)
        if (pool_empty(c))
            return true;
    return false;
}

bool reclaim_now(void)
{
    uint32_t last = registry_count();
    bool anything = false;
    int saved = errno;

    /* Usual at a limit, where every request comes here. */
    if (!anything_empty() || lost() || !lock_soon())
        return false;
    for (uint32_t id = 1; id <= last; id++) {
        struct superslab *ss = registry_ss(id);
        uint32_t empty;

        if (!ss)
            continue;
        (void)look(ss);
        empty = ss->seen_empty;
        if ((empty | atomic_load_explicit(&ss->unused, memory_order_relaxed)) == bits(ss->slabs))
            anything |= retire(ss);
        else if (empty & ~ss->purged)
            anything |= purge(ss, empty & ~ss->purged) > 0;
    }
    for (unsigned i = 0; i < WAITS && unmap_retired() == 0 && reclaim.retired; i++)
        os_sleep_ns(WAIT_NS);
    lock_give(&reclaim.lock);
    errno = saved;
    return anything;
}

bool reclaim_each(void (*each)(struct superslab *ss, void *arg), void *arg)
{
    uint32_t last = registry_count();

    if (!lock_soon())
        return false;
    for (uint32_t id = 1; id <= last; id++) {
        struct superslab *ss = registry_ss(id);

        if (ss)
            each(ss, arg);
    }
    lock_give(&reclaim.lock);
    return true;
}

static void add_purged(struct superslab *ss, void *bytes)
{
    uint32_t reused = atomic_load_explicit(&ss->reused, memory_order_relaxed);

    for (uint32_t left = ss->purged & ~reused; left; left &= left - 1)
        *(uint64_t *)bytes += ss_purgeable((unsigned)__builtin_ctz(left));
}

uint64_t reclaim_purged_bytes(void)
{
    uint64_t bytes = 0;

    (void)reclaim_each(add_purged, &bytes);
    return bytes;
}

/* One of the pool's that is in no registry: retired, or not yet in it, by whoever is gone. */
static void retire_unknown(void *base, void *unused)
{
    struct superslab *ss = base;

    (void)unused;
    if (ss->kind != HAK_POOL || (ss->id && registry_ss(ss->id) == ss))
        return;
    if (registry_is_free(ss->id))
        ss->id = 0;
    ss->retired_at = 0;
    ss->next_kept = reclaim.retired;
    reclaim.retired = ss;
}

void reclaim_fork(enum fork_step step)
{
    if (step == FORK_CHILD) {
        reclaim.retired = NULL;
        for (unsigned lg = SS_LG_MIN; lg <= SS_LG_MAX; lg++)
            pagemap_each((int)lg, (size_t)1 << lg, retire_unknown, NULL);
        atomic_store_explicit(&reclaim.done, !reclaim.retired, memory_order_relaxed);
    }
    (void)lost_step(&reclaim.lock, step);
}
