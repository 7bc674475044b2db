#include "unbound.h"

#include <errno.h>

#include "demand.h"
#include "lock.h"
#include "os.h"
#include "registry.h"
#include "tick.h"

static struct {
    /* In published SuperSlabs; and the one to look at first. */
    _Alignas(CACHE_LINE) _Atomic uint32_t count;
    _Atomic uint32_t hint;
    _Alignas(CACHE_LINE) struct lock lock;
    /* Whoever held the lock last has mapped a SuperSlab and not published it yet. */
    _Atomic bool fresh;
} unbound;

static uint32_t load(_Atomic uint32_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

bool unbound_any(void)
{
    return load(&unbound.count) != 0;
}

/* Claims a never-bound slab of ss; NULL. */
static struct slab *claim_unused(struct superslab *ss)
{
    uint32_t mask = load(&ss->unused);

    while (mask) {
        unsigned no = (unsigned)__builtin_ctz(mask);

        if (atomic_compare_exchange_weak_explicit(&ss->unused, &mask, mask & (mask - 1),
                                                  memory_order_acquire, memory_order_relaxed)) {
            count_down(&unbound.count, 1);
            return &ss->slab[no];
        }
    }
    return NULL;
}

struct slab *unbound_claim(uint32_t *scanned)
{
    uint32_t last = registry_count();
    uint32_t hint = load(&unbound.hint);

    for (uint32_t i = 0; i < last && load(&unbound.count); i++) {
        uint32_t id = (hint + i - 1) % last + 1;
        struct superslab *ss = registry_ss(id);
        struct slab *s = ss ? claim_unused(ss) : NULL;

        ++*scanned;
        if (s) {
            if (id != hint)
                atomic_store_explicit(&unbound.hint, id, memory_order_relaxed);
            return s;
        }
    }
    return NULL;
}

/* ---- one SuperSlab more ---- */

/* Lets others find a new SuperSlab whose first slab is the caller's. */
static void superslab_publish(struct superslab *ss, unsigned cls, uint64_t ns)
{
    trace_superslab_map((uintptr_t)ss, ss->lg, ss->slabs, HAK_POOL, cls, ns);
    atomic_store_explicit(&ss->unused, load(&ss->unused) & ~1u, memory_order_relaxed);
    atomic_fetch_add_explicit(&unbound.count, ss->slabs - 1u, memory_order_relaxed);
    demand_mapped(ss->slabs);
    registry_publish(ss);
    atomic_store_explicit(&unbound.hint, ss->id, memory_order_relaxed);
    tick_grown();
}

/* A SuperSlab with a registry number, of 2^lg bytes or else of the smallest size; NULL with
 * errno. */
static struct superslab *map_numbered(unsigned lg)
{
    struct superslab *ss = ss_map(lg, HAK_POOL);

    if (!ss && lg > SS_LG_MIN)
        ss = ss_map(SS_LG_MIN, HAK_POOL);
    if (ss && !registry_number(ss)) {
        ss_unmap(ss);
        return NULL;
    }
    return ss;
}

/* A SuperSlab is told of, and then published, without the lock: listeners may allocate. Whoever
 * comes for the lock meanwhile waits for its slabs, rather than map another; a tenth of a
 * second at most, since the one who publishes may itself wait for us. */
#define FRESH_WAITS 1000
#define FRESH_WAIT_NS 100000u

static bool is_fresh(void)
{
    return atomic_load_explicit(&unbound.fresh, memory_order_acquire);
}

/* False in a lost child where somebody has the lock who is not here. */
static bool lock_timed(bool *contended, uint64_t *waited)
{
    bool locked = lock_try(&unbound.lock);
    uint64_t began;

    *contended = !locked || is_fresh();
    *waited = 0;
    if (!*contended || lost())
        return locked;
    began = os_now_ns();
    if (!locked)
        lock_take(&unbound.lock);
    for (unsigned i = 0; i < FRESH_WAITS && is_fresh(); i++) {
        lock_give(&unbound.lock);
        os_sleep_ns(FRESH_WAIT_NS);
        lock_take(&unbound.lock);
    }
    *waited = os_now_ns() - began;
    return true;
}

struct growth unbound_grow(unsigned cls, unsigned lg)
{
    struct growth g = {NULL, NULL, 0, 0, false};
    uint64_t waited, began, held;
    bool contended;

    if (!lock_timed(&contended, &waited)) {
        g.err = EAGAIN;
        return g;
    }
    began = os_now_ns();
    /* Whoever held the lock before us may have mapped one for all. */
    g.slab = unbound_claim(&g.scanned);
    if (!g.slab && ss_may_map(HAK_POOL)) {
        g.mapped = map_numbered(lg);
        g.refused = !g.mapped;
        if (g.mapped)
            atomic_store_explicit(&unbound.fresh, true, memory_order_relaxed);
    }
    g.err = errno;
    held = os_now_ns() - began;
    lock_give(&unbound.lock);
    trace_pool_lock(cls, contended, waited, held);
    if (g.mapped) {
        superslab_publish(g.mapped, cls, held);
        atomic_store_explicit(&unbound.fresh, false, memory_order_release);
        g.slab = &g.mapped->slab[0];
    }
    return g;
}

/* ---- for the reclaimer, and in a forked child ---- */

uint32_t unbound_take(struct superslab *ss)
{
    uint32_t mask = atomic_exchange_explicit(&ss->unused, 0, memory_order_acquire);

    count_down(&unbound.count, (uint32_t)__builtin_popcount(mask));
    return mask;
}

void unbound_give(struct superslab *ss, uint32_t mask)
{
    atomic_fetch_add_explicit(&unbound.count, (uint32_t)__builtin_popcount(mask),
                              memory_order_relaxed);
    atomic_fetch_or_explicit(&ss->unused, mask, memory_order_release);
}

void unbound_unmap(struct superslab *ss)
{
    lock_take(&unbound.lock);
    if (ss->id)
        registry_recycle(ss->id);
    lock_give(&unbound.lock);
    ss_unmap(ss);
}

void unbound_count_anew(void)
{
    atomic_store_explicit(&unbound.count, 0, memory_order_relaxed);
}

void unbound_fork(enum fork_step step)
{
    /* A child has no thread that would publish it. */
    if (step == FORK_CHILD)
        atomic_store_explicit(&unbound.fresh, false, memory_order_relaxed);
    (void)lost_step(&unbound.lock, step);
}
