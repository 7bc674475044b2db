#include "pool.h"

#include <errno.h>
#include <pthread.h>

#include "config.h"
#include "os.h"
#include "registry.h"

struct class_pool {
    _Alignas(CACHE_LINE) struct slot_list empty; /* stage 1 */
    struct slot_list published;                  /* adopt */
    _Alignas(CACHE_LINE) _Atomic uint32_t active;
    _Atomic uint32_t peak;
    _Atomic uint32_t cap;      /* 0: none */
    _Atomic uint32_t marked;   /* EMPTY slabs on no list */
    _Atomic uint32_t unmarked; /* nothing live, ACTIVE, never looked at again */
};

static struct {
    struct class_pool cls[CLASSES];
    /* Never-bound slabs in published SuperSlabs, and where to look for one first. */
    _Alignas(CACHE_LINE) _Atomic uint32_t unused;
    _Atomic uint32_t unused_hint;
    _Alignas(CACHE_LINE) pthread_mutex_t lock;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint32_t get(_Atomic uint32_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

void pool_init(void)
{
    for (unsigned c = 0; c < CLASSES; c++)
        if (config.caps[c])
            atomic_store_explicit(&pool.cls[c].cap, config.caps[c], memory_order_relaxed);
}

uint32_t pool_set_cap(unsigned cls, uint32_t cap)
{
    return atomic_exchange_explicit(&pool.cls[cls].cap, cap, memory_order_relaxed);
}

/* Counts one more ACTIVE slab; with a limit, only while fewer than limit are ACTIVE. */
static bool active_add(struct class_pool *cp, uint32_t limit)
{
    uint32_t n = atomic_fetch_add_explicit(&cp->active, 1, memory_order_relaxed);
    uint32_t peak = get(&cp->peak);

    if (limit && n >= limit) {
        atomic_fetch_sub_explicit(&cp->active, 1, memory_order_relaxed);
        return false;
    }
    while (n + 1 > peak && !atomic_compare_exchange_weak_explicit(
                               &cp->peak, &peak, n + 1, memory_order_relaxed, memory_order_relaxed))
        ;
    return true;
}

/* Room under the soft cap, reserved; stages 2, rebind and 3 grow a class. */
static bool cap_reserve(struct class_pool *cp)
{
    return active_add(cp, get(&cp->cap));
}

static void active_sub(struct class_pool *cp)
{
    atomic_fetch_sub_explicit(&cp->active, 1, memory_order_relaxed);
}

/* What a stage found, and what its event says. */
struct stage_result {
    struct slab *slab;
    enum hak_outcome outcome;
    uint32_t scanned;
};

static struct stage_result stage_refused(enum hak_outcome outcome, uint32_t scanned)
{
    return (struct stage_result){NULL, outcome, scanned};
}

/* Makes s, claimed by the caller and counted in active, a slab of o. */
static struct stage_result stage_hit(struct owner *o, struct slab *s, unsigned cls, uint32_t was,
                                     enum hak_stage stage, uint32_t scanned)
{
    slab_bind(s, o, cls, was);
    trace_slab_active(slab_ref(s), stage, o->id, slab_capacity(cls, slab_no(s)),
                      info_state(was) == SLAB_UNUSED ? cls : info_cls(was));
    return (struct stage_result){s, HAK_HIT, scanned};
}

/* Claims slab number no of ss if it is EMPTY in the given state; its info before in *was. */
static bool claim_empty(struct superslab *ss, unsigned no, enum slab_state state, uint32_t *was)
{
    uint32_t info = atomic_load_explicit(&ss->info[no], memory_order_relaxed);

    *was = info;
    if (info_state(info) != state)
        return false;
    /* Acquire: what the releasing owner left in the slab. */
    return atomic_compare_exchange_strong_explicit(&ss->info[no], &info,
                                                   info_make(info_cls(info), SLAB_ACTIVE, 0),
                                                   memory_order_acquire, memory_order_relaxed);
}

/* An EMPTY slab of cls in ss that is on no list, claimed; NULL. */
static struct slab *claim_unlisted(struct superslab *ss, unsigned cls, uint32_t *was)
{
    for (unsigned no = 0; no < ss->slabs; no++) {
        uint32_t info = atomic_load_explicit(&ss->info[no], memory_order_relaxed);

        if (info_cls(info) == cls && info_state(info) == SLAB_EMPTY &&
            claim_empty(ss, no, SLAB_EMPTY, was))
            return &ss->slab[no];
    }
    return NULL;
}

static struct stage_result stage_0_5(struct owner *o, unsigned cls)
{
    struct class_pool *cp = &pool.cls[cls];
    uint32_t last = registry_count();
    uint32_t scanned = 0, was;

    if (!config.empty_reuse)
        return stage_refused(HAK_SKIPPED, 0);
    if (!get(&cp->marked))
        return stage_refused(HAK_NOTHING, 0);
    for (uint32_t id = 1; id <= last && scanned < config.scan_limit; id++, scanned++) {
        struct superslab *ss = registry_ss(id);
        struct slab *s = ss ? claim_unlisted(ss, cls, &was) : NULL;

        if (s) {
            atomic_fetch_sub_explicit(&cp->marked, 1, memory_order_relaxed);
            (void)active_add(cp, 0);
            return stage_hit(o, s, cls, was, HAK_STAGE_0_5, scanned + 1);
        }
    }
    return stage_refused(last > scanned ? HAK_SCAN_LIMIT : HAK_NOTHING, scanned);
}

/* Pops slots of a list of EMPTY slabs until one can be claimed. */
static struct slab *claim_listed(struct slot_list *list, uint32_t *was, uint32_t *scanned)
{
    uint32_t slot;

    while ((slot = slot_pop(list)) != SLOT_NONE) {
        struct slab *s = slot_slab(slot);

        ++*scanned;
        if (claim_empty(slab_ss(s), slab_no(s), SLAB_EMPTY_LISTED, was))
            return s;
    }
    return NULL;
}

static struct stage_result stage_1(struct owner *o, unsigned cls)
{
    struct class_pool *cp = &pool.cls[cls];
    uint32_t scanned = 0, was;
    struct slab *s = claim_listed(&cp->empty, &was, &scanned);

    if (!s)
        return stage_refused(HAK_NOTHING, scanned);
    (void)active_add(cp, 0);
    return stage_hit(o, s, cls, was, HAK_STAGE_1, scanned);
}

/* Claims a never-bound slab of ss; NULL. */
static struct slab *claim_unused(struct superslab *ss)
{
    uint32_t mask = get(&ss->unused);

    while (mask) {
        unsigned no = (unsigned)__builtin_ctz(mask);

        if (atomic_compare_exchange_weak_explicit(&ss->unused, &mask, mask & (mask - 1),
                                                  memory_order_acquire, memory_order_relaxed)) {
            atomic_fetch_sub_explicit(&pool.unused, 1, memory_order_relaxed);
            return &ss->slab[no];
        }
    }
    return NULL;
}

/* A never-bound slab of any published SuperSlab, claimed, looking at the latest place first. */
static struct slab *claim_unused_anywhere(uint32_t *scanned)
{
    uint32_t last = registry_count();
    uint32_t hint = get(&pool.unused_hint);

    for (uint32_t i = 0; i < last && get(&pool.unused); i++) {
        uint32_t id = (hint + i - 1) % last + 1;
        struct superslab *ss = registry_ss(id);
        struct slab *s = ss ? claim_unused(ss) : NULL;

        ++*scanned;
        if (s) {
            if (id != hint)
                atomic_store_explicit(&pool.unused_hint, id, memory_order_relaxed);
            return s;
        }
    }
    return NULL;
}

static struct stage_result stage_2(struct owner *o, unsigned cls)
{
    struct class_pool *cp = &pool.cls[cls];
    uint32_t scanned = 0;
    struct slab *s;

    if (!get(&pool.unused))
        return stage_refused(HAK_NOTHING, 0);
    if (!cap_reserve(cp))
        return stage_refused(HAK_SOFT_CAP, 0);
    s = claim_unused_anywhere(&scanned);
    if (!s) {
        active_sub(cp);
        return stage_refused(HAK_NOTHING, scanned);
    }
    return stage_hit(o, s, cls, 0, HAK_STAGE_2, scanned);
}

/* Full slabs on the way are adopted too, each once: from then on their owner hears of every block
 * that comes back, which nobody did before. */
static struct stage_result stage_adopt(struct owner *o, unsigned cls)
{
    uint32_t scanned = 0, slot;

    while ((slot = slot_pop(&pool.cls[cls].published)) != SLOT_NONE) {
        struct slab *s = slot_slab(slot);

        scanned++;
        owner_adopt(o, s, cls);
        if (slab_has_block(s, cls))
            return (struct stage_result){s, HAK_HIT, scanned};
        owner_put_full(o, s, cls);
    }
    return stage_refused(HAK_NOTHING, scanned);
}

static struct stage_result stage_rebind(struct owner *o, unsigned cls)
{
    struct class_pool *cp = &pool.cls[cls];
    uint32_t scanned = 0, was;

    if (!cap_reserve(cp))
        return stage_refused(HAK_SOFT_CAP, 0);
    for (unsigned i = 1; i < CLASSES; i++) {
        struct slab *s = claim_listed(&pool.cls[(cls + i) % CLASSES].empty, &was, &scanned);

        if (s)
            return stage_hit(o, s, cls, was, HAK_REBIND, scanned);
    }
    active_sub(cp);
    return stage_refused(HAK_NOTHING, scanned);
}

/* The size of the next SuperSlab: small processes stay small, large ones map seldom. */
static unsigned next_ss_lg(void)
{
    uint32_t mapped = registry_count();

    if (config.ss_lg)
        return config.ss_lg;
    return mapped < 4 ? SS_LG_MIN : mapped < 8 ? SS_LG_MIN + 1 : SS_LG_MAX;
}

static void pool_lock_timed(bool *contended, uint64_t *waited)
{
    uint64_t began;

    *contended = pthread_mutex_trylock(&pool.lock) != 0;
    *waited = 0;
    if (!*contended)
        return;
    began = os_now_ns();
    pthread_mutex_lock(&pool.lock);
    *waited = os_now_ns() - began;
}

/* Lets others find a new SuperSlab whose first slab is the caller's. */
static void superslab_publish(struct superslab *ss, unsigned cls, uint64_t ns)
{
    trace_superslab_map((uintptr_t)ss, ss->lg, ss->slabs, HAK_POOL, cls, ns);
    atomic_store_explicit(&ss->unused, get(&ss->unused) & ~1u, memory_order_relaxed);
    atomic_fetch_add_explicit(&pool.unused, ss->slabs - 1u, memory_order_relaxed);
    registry_publish(ss);
    atomic_store_explicit(&pool.unused_hint, ss->id, memory_order_relaxed);
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

static struct stage_result stage_3(struct owner *o, unsigned cls, size_t size)
{
    struct class_pool *cp = &pool.cls[cls];
    struct superslab *ss = NULL;
    struct slab *s;
    uint32_t scanned = 0;
    uint64_t waited, began, held;
    bool contended;
    unsigned lg;
    int err = 0;

    if (!cap_reserve(cp))
        return stage_refused(HAK_SOFT_CAP, 0);
    lg = next_ss_lg();
    pool_lock_timed(&contended, &waited);
    began = os_now_ns();
    /* Whoever held the lock before us may have mapped one for all. */
    s = claim_unused_anywhere(&scanned);
    if (!s) {
        ss = map_numbered(lg);
        err = errno;
    }
    held = os_now_ns() - began;
    pthread_mutex_unlock(&pool.lock);
    trace_pool_lock(cls, contended, waited, held);
    if (ss) {
        superslab_publish(ss, cls, held);
        s = &ss->slab[0];
    }
    if (!s) {
        active_sub(cp);
        trace_ace_fail(size, HAK_TINY, HAK_MAP_FAIL_OS, geometry[cls].stride, ss_mapped_bytes(), 0,
                       err);
        return stage_refused(HAK_MAP_FAIL, scanned);
    }
    return stage_hit(o, s, cls, 0, HAK_STAGE_3, scanned);
}

static void report_shared_fail(struct owner *o, unsigned cls, enum hak_outcome stage_3_outcome)
{
    struct class_pool *cp = &pool.cls[cls];
    uint32_t marked = get(&cp->marked);
    struct hak_ev_shared_fail event = {
        .cls = cls,
        .owner = o->id,
        .active = get(&cp->active),
        .cap = get(&cp->cap),
        .listed = get(&cp->empty.count),
        .marked = marked,
        /* Stage 0.5 has just looked at all within its limit and found none. */
        .beyond = config.empty_reuse ? marked : 0,
        .unmarked = get(&cp->unmarked),
    };

    if (stage_3_outcome == HAK_MAP_FAIL)
        event.reason = HAK_FAIL_MAP_FAIL;
    else
        event.reason = event.beyond ? HAK_FAIL_SCAN_LIMIT : HAK_FAIL_SOFT_CAP;
    trace_shared_fail(&event);
}

struct slab *pool_acquire(struct owner *o, unsigned cls, size_t size)
{
    static const enum hak_stage order[] = {HAK_STAGE_0_5, HAK_STAGE_1, HAK_STAGE_2,
                                           HAK_ADOPT,     HAK_REBIND,  HAK_STAGE_3};
    struct class_pool *cp = &pool.cls[cls];
    struct stage_result r = {NULL, HAK_NOTHING, 0};

    trace_acquire_begin(cls, o->id, get(&cp->active), get(&cp->cap));
    for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        uint64_t began = trace_clock();

        switch (order[i]) {
        case HAK_STAGE_0_5: r = stage_0_5(o, cls); break;
        case HAK_STAGE_1: r = stage_1(o, cls); break;
        case HAK_STAGE_2: r = stage_2(o, cls); break;
        case HAK_ADOPT: r = stage_adopt(o, cls); break;
        case HAK_REBIND: r = stage_rebind(o, cls); break;
        case HAK_STAGE_3: r = stage_3(o, cls, size); break;
        }
        trace_acquire_stage(cls, o->id, order[i], r.outcome, r.scanned, began);
        if (r.slab)
            return r.slab;
    }
    report_shared_fail(o, cls, r.outcome);
    return NULL;
}

void pool_release(struct owner *o, struct slab *s)
{
    struct slab_ref ref = slab_ref(s);
    struct class_pool *cp = &pool.cls[ref.cls];
    bool listed = config.recycle == RECYCLE_FULL;
    _Atomic uint32_t *info = &slab_ss(s)->info[ref.slab];

    hak_assert(s->nfree == info_carved(slab_info(s)));
    trace_slab_empty(ref, o->id);
    trace_slab_release(ref, listed);
    atomic_store_explicit(&s->owner, NULL, memory_order_relaxed);
    active_sub(cp);
    if (listed) {
        atomic_store_explicit(info, info_make(ref.cls, SLAB_EMPTY_LISTED, 0), memory_order_release);
        slot_push(&cp->empty, slot_of(s));
    } else {
        atomic_fetch_add_explicit(&cp->marked, 1, memory_order_relaxed);
        atomic_store_explicit(info, info_make(ref.cls, SLAB_EMPTY, 0), memory_order_release);
    }
}

void pool_publish(struct slab *s)
{
    slot_push(&pool.cls[slab_cls(s)].published, slot_of(s));
}

void pool_forget(unsigned cls)
{
    atomic_fetch_add_explicit(&pool.cls[cls].unmarked, 1, memory_order_relaxed);
}

void pool_class_stats(unsigned cls, struct hak_class_stats *out)
{
    struct class_pool *cp = &pool.cls[cls];

    out->active = get(&cp->active);
    out->peak = get(&cp->peak);
    out->cap = get(&cp->cap);
    out->listed = get(&cp->empty.count);
    out->marked = get(&cp->marked);
    out->unmarked = get(&cp->unmarked);
}

void pool_lock_for_fork(void)
{
    pthread_mutex_lock(&pool.lock);
}

void pool_unlock_after_fork(void)
{
    pthread_mutex_unlock(&pool.lock);
}
