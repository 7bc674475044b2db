#include "demand.h"

#include "config.h"
#include "learn.h"

struct demand {
    _Alignas(CACHE_LINE) _Atomic uint32_t active;
    _Atomic uint32_t peak;
    _Atomic uint32_t window_peak; /* the most since the learning window began */
    _Atomic uint32_t cap;
    _Atomic bool frozen; /* the cap is somebody's word, not learned */
    _Atomic uint32_t ss_lg;
    _Atomic uint32_t maps; /* of this size, since the learning window began */
    struct cap_memory cap_memory;
    uint32_t size_quiet;
};

static struct demand demand[CLASSES];
/* In the pool's SuperSlabs. */
static _Atomic uint32_t slabs;

static uint32_t get(_Atomic uint32_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

static bool change(_Atomic uint32_t *n, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong_explicit(n, &from, to, memory_order_relaxed,
                                                   memory_order_relaxed);
}

void demand_init(void)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        struct demand *d = &demand[c];

        atomic_init(&d->frozen, config.caps[c] != 0);
        atomic_init(&d->cap, config.caps[c] ? config.caps[c] : LEARN_CAP_MIN);
        atomic_init(&d->ss_lg, SS_LG_MIN);
    }
}

uint32_t demand_active(unsigned cls)
{
    return get(&demand[cls].active);
}

uint32_t demand_peak(unsigned cls)
{
    return get(&demand[cls].peak);
}

uint32_t demand_cap(unsigned cls)
{
    return get(&demand[cls].cap);
}

bool demand_frozen(unsigned cls)
{
    return atomic_load_explicit(&demand[cls].frozen, memory_order_relaxed);
}

unsigned demand_lg(unsigned cls)
{
    return config.ss_lg ? config.ss_lg : get(&demand[cls].ss_lg);
}

/* ---- soft caps ---- */

uint32_t demand_set_cap(unsigned cls, uint32_t cap)
{
    atomic_store_explicit(&demand[cls].frozen, true, memory_order_relaxed);
    return atomic_exchange_explicit(&demand[cls].cap, cap, memory_order_relaxed);
}

static void raise_to(_Atomic uint32_t *most, uint32_t n)
{
    uint32_t old = get(most);

    while (n > old && !atomic_compare_exchange_weak_explicit(most, &old, n, memory_order_relaxed,
                                                             memory_order_relaxed))
        ;
}

/* Counts one more; with a limit, only while fewer than limit are ACTIVE. */
static bool add(struct demand *d, uint32_t limit)
{
    uint32_t n = atomic_fetch_add_explicit(&d->active, 1, memory_order_relaxed);

    if (limit && n >= limit) {
        count_down(&d->active, 1);
        return false;
    }
    raise_to(&d->peak, n + 1);
    raise_to(&d->window_peak, n + 1);
    return true;
}

bool demand_grow(unsigned cls)
{
    struct demand *d = &demand[cls];

    for (;;) {
        uint32_t cap = get(&d->cap), raised;

        if (add(d, cap))
            return true;
        if (demand_frozen(cls))
            return false;
        raised = learn_cap_raised(cap);
        if (change(&d->cap, cap, raised))
            trace_cap_change(cls, cap, raised, HAK_CAP_DEMAND, cap + 1);
    }
}

void demand_back(unsigned cls)
{
    (void)add(&demand[cls], 0);
}

void demand_drop(unsigned cls)
{
    count_down(&demand[cls].active, 1);
}

void demand_count_anew(unsigned cls, uint32_t active)
{
    atomic_store_explicit(&demand[cls].active, active, memory_order_relaxed);
}

static void learn_cap(unsigned cls)
{
    struct demand *d = &demand[cls];
    uint32_t active = get(&d->active), cap = get(&d->cap);
    uint32_t peak = atomic_exchange_explicit(&d->window_peak, active, memory_order_relaxed);
    uint32_t learned;

    if (demand_frozen(cls))
        return;
    learned = learn_cap_after(&d->cap_memory, cap, peak, active);
    if (learned != cap && change(&d->cap, cap, learned))
        trace_cap_change(cls, cap, learned, HAK_CAP_IDLE, peak);
}

/* ---- sizes of SuperSlabs ---- */

void demand_mapped(int32_t more)
{
    atomic_fetch_add_explicit(&slabs, (uint32_t)more, memory_order_relaxed);
}

/* Per cent of the pool's slabs that are ACTIVE. */
static uint32_t occupancy(void)
{
    uint64_t active = 0;
    uint32_t all = get(&slabs);

    for (unsigned c = 0; c < CLASSES; c++)
        active += get(&demand[c].active);
    return all ? (uint32_t)(active * 100 / all) : 0;
}

static void size_change(unsigned cls, unsigned from, unsigned to, enum hak_size_why why,
                        uint32_t maps, uint32_t occupied)
{
    if (from != to && change(&demand[cls].ss_lg, from, to))
        trace_ss_size_change(cls, from, to, why, maps, occupied);
}

unsigned demand_size(unsigned cls)
{
    struct demand *d = &demand[cls];
    unsigned lg = get(&d->ss_lg), learned;
    uint32_t maps, occupied;

    if (config.ss_lg)
        return config.ss_lg;
    maps = atomic_fetch_add_explicit(&d->maps, 1, memory_order_relaxed);
    occupied = occupancy();
    learned = learn_size_mapping(lg, maps, occupied);
    if (learned != lg) {
        atomic_store_explicit(&d->maps, 1, memory_order_relaxed);
        size_change(cls, lg, learned, HAK_SIZE_MAP_RATE, maps, occupied);
    }
    return learned;
}

void demand_size_refused(unsigned cls, unsigned from, unsigned to)
{
    if (!config.ss_lg)
        size_change(cls, from, to, HAK_SIZE_MAP_FAIL, get(&demand[cls].maps), occupancy());
}

static void learn_size(unsigned cls, uint32_t occupied)
{
    struct demand *d = &demand[cls];
    uint32_t maps = atomic_exchange_explicit(&d->maps, 0, memory_order_relaxed);
    unsigned lg = get(&d->ss_lg);

    if (!config.ss_lg)
        size_change(cls, lg, learn_size_after(&d->size_quiet, lg, maps, occupied),
                    HAK_SIZE_LOW_OCCUPANCY, maps, occupied);
}

void demand_learn(void)
{
    uint32_t occupied = occupancy();

    for (unsigned c = 0; c < CLASSES; c++) {
        learn_cap(c);
        learn_size(c, occupied);
    }
}
