#include "pool.h"

#include <errno.h>

#include "config.h"
#include "demand.h"
#include "dump.h"
#include "misuse.h"
#include "registry.h"
#include "tick.h"
#include "trim.h"
#include "unbound.h"

struct class_pool {
    _Alignas(CACHE_LINE) struct slot_list empty;  /* stage 1 */
    struct slot_list published;                   /* adopt */
    _Alignas(CACHE_LINE) _Atomic uint32_t listed; /* EMPTY slabs for stage 1 */
    _Atomic uint32_t marked;                      /* EMPTY slabs on no list */
    _Atomic uint32_t unmarked;                    /* nothing live, ACTIVE, never looked at again */
};

static struct {
    struct class_pool cls[CLASSES];
    /* What threads announce that look for slabs: SuperSlabs that nobody finds any more are
     * unmapped once all announcements are younger. */
    _Atomic uint64_t epoch;
} pool = {.epoch = 1};

static uint32_t get(_Atomic uint32_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
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
    hak_check(slab_check(s));
    trace_slab_active(slab_ref(s), stage, o->id, slab_capacity(cls, slab_no(s)),
                      info_state(was) == SLAB_UNUSED ? cls : info_cls(was));
    return (struct stage_result){s, HAK_HIT, scanned};
}

static _Atomic uint32_t *empty_count(unsigned cls, enum slab_state state)
{
    return state == SLAB_EMPTY ? &pool.cls[cls].marked : &pool.cls[cls].listed;
}

/* Claims slab number no of ss if it is EMPTY of cls in the given state; its info before in *was. */
static bool claim_empty(struct superslab *ss, unsigned no, unsigned cls, enum slab_state state,
                        uint32_t *was)
{
    uint32_t info = *was = info_make(cls, state, 0);

    /* Acquire: what the releasing owner left in the slab. */
    if (!atomic_compare_exchange_strong_explicit(&ss_info(ss)[no], &info,
                                                 info_make(cls, SLAB_ACTIVE, 0),
                                                 memory_order_seq_cst, memory_order_seq_cst))
        return false;
    count_down(empty_count(cls, state), 1);
    return true;
}

/* An EMPTY slab of cls in ss that is on no list, claimed; NULL. */
static struct slab *claim_unlisted(struct superslab *ss, unsigned cls, uint32_t *was)
{
    for (unsigned no = 0; no < ss->slabs; no++) {
        uint32_t info = atomic_load_explicit(&ss_info(ss)[no], memory_order_relaxed);

        if (info == info_make(cls, SLAB_EMPTY, 0) && claim_empty(ss, no, cls, SLAB_EMPTY, was))
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
    for (uint32_t id = 1; id <= last; id++) {
        struct superslab *ss = registry_ss(id);
        struct slab *s;

        if (!ss)
            continue;
        if (scanned >= config.scan_limit)
            return stage_refused(HAK_SCAN_LIMIT, scanned);
        scanned++;
        s = claim_unlisted(ss, cls, &was);
        if (s) {
            demand_back(cls);
            return stage_hit(o, s, cls, was, HAK_STAGE_0_5, scanned);
        }
    }
    return stage_refused(HAK_NOTHING, scanned);
}

static bool is_listed(struct slab *s, unsigned cls)
{
    return atomic_load(&ss_info(slab_ss(s))[slab_no(s)]) == info_make(cls, SLAB_EMPTY_LISTED, 0);
}

/* The slab of a slot that was popped off class cls's list, claimed, and the slot let go; NULL if
 * somebody has parked or retired it. It may be back the moment after, given to the list by one who
 * found the slot in our hands and so left it to us: then once more. */
static struct slab *claim_slot(uint32_t slot, unsigned cls, uint32_t *was)
{
    struct slab *s = slot_slab(slot);
    bool claimed;

    do {
        claimed = s && claim_empty(slab_ss(s), slab_no(s), cls, SLAB_EMPTY_LISTED, was);
        slot_let_go(slot);
    } while (s && !claimed && is_listed(s, cls) && slot_take(slot));
    return claimed ? s : NULL;
}

/* Pops slots of cls's list of EMPTY slabs until one can be claimed. */
static struct slab *claim_listed(unsigned cls, uint32_t *was, uint32_t *scanned)
{
    uint32_t slot;

    while ((slot = slot_pop(&pool.cls[cls].empty)) != SLOT_NONE) {
        struct slab *s = claim_slot(slot, cls, was);

        ++*scanned;
        if (s)
            return s;
    }
    return NULL;
}

/* Takes s, claimed as EMPTY with blocks in use, out of circulation for ever. Its blocks can still
 * be freed: they go to a remote queue that nobody drains. */
static void give_up(struct slab *s, unsigned cls)
{
    uint32_t carved = s->nfree;

    slab_give_up_free(s, carved);
    atomic_fetch_or_explicit(&s->remote, REMOTE_UNOWNED, memory_order_relaxed);
    atomic_store_explicit(&ss_info(slab_ss(s))[slab_no(s)], info_make(cls, SLAB_ACTIVE, carved),
                          memory_order_release);
}

static struct stage_result stage_1(struct owner *o, unsigned cls)
{
    uint32_t scanned = 0, was;
    struct slab *s = claim_listed(cls, &was, &scanned);

    if (!s)
        return stage_refused(HAK_NOTHING, scanned);
    demand_back(cls);
    return stage_hit(o, s, cls, was, HAK_STAGE_1, scanned);
}

static struct stage_result stage_2(struct owner *o, unsigned cls)
{
    uint32_t scanned = 0;
    struct slab *s;

    if (!unbound_any())
        return stage_refused(HAK_NOTHING, 0);
    if (!demand_grow(cls))
        return stage_refused(HAK_SOFT_CAP, 0);
    s = unbound_claim(&scanned);
    if (!s) {
        demand_drop(cls);
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
        slot_let_go(slot);
        if (slab_has_block(s, cls))
            return (struct stage_result){s, HAK_HIT, scanned};
        owner_put_full(o, s, cls);
    }
    return stage_refused(HAK_NOTHING, scanned);
}

static struct stage_result stage_rebind(struct owner *o, unsigned cls)
{
    uint32_t scanned = 0, was;

    if (!demand_grow(cls))
        return stage_refused(HAK_SOFT_CAP, 0);
    for (unsigned i = 1; i < CLASSES; i++) {
        unsigned from = (cls + i) % CLASSES;
        struct slab *s;

        while ((s = claim_listed(from, &was, &scanned))) {
            if (likely(slab_all_free(s, from)))
                return stage_hit(o, s, cls, was, HAK_REBIND, scanned);
            give_up(s, from);
        }
    }
    demand_drop(cls);
    return stage_refused(HAK_NOTHING, scanned);
}

static struct stage_result stage_3(struct owner *o, unsigned cls, size_t size)
{
    struct growth g;
    unsigned lg;

    if (!demand_grow(cls))
        return stage_refused(HAK_SOFT_CAP, 0);
    lg = demand_size(cls);
    g = unbound_grow(cls, lg);
    if (g.refused) {
        bool room;

        /* What lies idle elsewhere may make room; we hold nothing here. */
        pool_leave(o);
        room = trim_all();
        pool_enter(o);
        if (room)
            g = unbound_grow(cls, SS_LG_MIN);
    }
    if (g.mapped && g.mapped->lg < lg)
        demand_size_refused(cls, lg, g.mapped->lg);
    if (!g.slab) {
        demand_drop(cls);
        pool_leave(o);
        dump_map_fail(size);
        pool_enter(o);
        trace_ace_fail(size, HAK_TINY, HAK_MAP_FAIL_OS, geometry[cls].stride, ss_mapped_bytes(), 0,
                       g.err);
        return stage_refused(HAK_MAP_FAIL, g.scanned);
    }
    return stage_hit(o, g.slab, cls, 0, HAK_STAGE_3, g.scanned);
}

static void report_shared_fail(struct trace_acquire *told, struct owner *o, unsigned cls,
                               enum hak_outcome stage_3_outcome)
{
    struct class_pool *cp = &pool.cls[cls];
    uint32_t marked = get(&cp->marked);
    struct hak_ev_shared_fail event = {
        .cls = cls,
        .owner = o->id,
        .active = demand_active(cls),
        .cap = demand_cap(cls),
        .listed = get(&cp->listed),
        .marked = marked,
        /* Stage 0.5 has just looked at all within its limit and found none. */
        .beyond = config.empty_reuse ? marked : 0,
        .unmarked = get(&cp->unmarked),
    };

    if (stage_3_outcome == HAK_MAP_FAIL)
        event.reason = HAK_FAIL_MAP_FAIL;
    else
        event.reason = event.beyond ? HAK_FAIL_SCAN_LIMIT : HAK_FAIL_SOFT_CAP;
    trace_shared_fail(told, &event);
}

struct slab *pool_acquire(struct owner *o, unsigned cls, size_t size)
{
    static const enum hak_stage order[] = {HAK_STAGE_0_5, HAK_STAGE_1, HAK_STAGE_2,
                                           HAK_ADOPT,     HAK_REBIND,  HAK_STAGE_3};
    struct stage_result r = {NULL, HAK_NOTHING, 0};
    struct trace_acquire told;

    trace_acquire_begin(&told, cls, o->id, demand_active(cls), demand_cap(cls));
    pool_enter(o);
    for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        uint64_t began = trace_clock(HAK_EV_acquire_stage);

        switch (order[i]) {
        case HAK_STAGE_0_5: r = stage_0_5(o, cls); break;
        case HAK_STAGE_1: r = stage_1(o, cls); break;
        case HAK_STAGE_2: r = stage_2(o, cls); break;
        case HAK_ADOPT: r = stage_adopt(o, cls); break;
        case HAK_REBIND: r = stage_rebind(o, cls); break;
        case HAK_STAGE_3: r = stage_3(o, cls, size); break;
        }
        trace_acquire_stage(&told, order[i], r.outcome, r.scanned, began);
        if (r.slab)
            break;
    }
    pool_leave(o);
    if (r.slab)
        return r.slab;
    report_shared_fail(&told, o, cls, r.outcome);
    return NULL;
}

/* Lets others have slab number no of ss, EMPTY and in the caller's hands. Its slot may be on the
 * list still (it was parked), or in the hands of one who popped it: he claims the slab if he finds
 * it EMPTY after he let the slot go, and we push the slot once more if we find it let go after
 * the slab became EMPTY. The order of this side, state before slot, and of the other, slot before
 * state, is the total order of sequentially consistent operations: one of the two sees the other,
 * and if both do, the state's compare-and-exchange decides. */
static void make_available(struct superslab *ss, unsigned no, unsigned cls, enum slab_state state)
{
    uint32_t slot = slot_of(&ss->slab[no]);
    uint32_t empty = info_make(cls, state, 0), found;

    do {
        if (state == SLAB_EMPTY_LISTED)
            (void)slot_push(&pool.cls[cls].empty, slot);
        atomic_store(&ss_info(ss)[no], empty);
        if (state != SLAB_EMPTY_LISTED || slot_listed(slot))
            return;
        found = empty;
    } while (
        atomic_compare_exchange_strong(&ss_info(ss)[no], &found, info_make(cls, SLAB_PARKED, 0)));
}

void pool_release(struct owner *o, struct slab *s)
{
    struct slab_ref ref = slab_ref(s);
    enum slab_state state = config.recycle == RECYCLE_FULL ? SLAB_EMPTY_LISTED : SLAB_EMPTY;

    uint32_t carved = info_carved(slab_info(s));

    hak_assert(info_state(slab_info(s)) == SLAB_ACTIVE && s->used == 0);
    hak_assert(atomic_load_explicit(&s->owner, memory_order_relaxed) == o);
    hak_assert(!atomic_load_explicit(&s->remote, memory_order_relaxed));
    /* In a forked child some may be lost, with the threads that had them. Otherwise all are there,
     * or a slab with blocks in use would be carved anew. */
    if (!slot_found_free(slot_of(s)) ? s->nfree != carved : s->nfree > carved)
        misuse_records_overwritten(s);
    if (unlikely(s->nfree != carved))
        slab_lose_free(s);
    trace_slab_empty(ref, o->id);
    trace_slab_release(ref, state == SLAB_EMPTY_LISTED);
    atomic_store_explicit(&s->owner, NULL, memory_order_relaxed);
    demand_drop(ref.cls);
    atomic_fetch_add_explicit(empty_count(ref.cls, state), 1, memory_order_relaxed);
    /* Its SuperSlab may be retired at any moment from here on. */
    pool_enter(o);
    make_available(slab_ss(s), ref.slab, ref.cls, state);
    pool_leave(o);
    tick_want();
}

void pool_publish(struct slab *s)
{
    bool pushed;

    hak_assert(!atomic_load_explicit(&s->owner, memory_order_relaxed));
    hak_assert(atomic_load_explicit(&s->remote, memory_order_relaxed) & REMOTE_UNOWNED);
    pushed = slot_push(&pool.cls[slab_cls(s)].published, slot_of(s));

    /* A slab in use is on no list. */
    hak_assert(pushed);
    (void)pushed;
}

void pool_forget(unsigned cls)
{
    atomic_fetch_add_explicit(&pool.cls[cls].unmarked, 1, memory_order_relaxed);
}

void pool_class_stats(unsigned cls, struct hak_class_stats *out)
{
    struct class_pool *cp = &pool.cls[cls];

    out->active = demand_active(cls);
    out->peak = demand_peak(cls);
    out->cap = demand_cap(cls);
    out->listed = get(&cp->listed);
    out->marked = get(&cp->marked);
    out->unmarked = get(&cp->unmarked);
}

/* ---- for the reclaimer and the tick ---- */

uint32_t pool_empty(unsigned cls)
{
    return get(&pool.cls[cls].listed) + get(&pool.cls[cls].marked);
}

bool pool_park(struct superslab *ss, unsigned no, uint32_t *was)
{
    uint32_t info = atomic_load_explicit(&ss_info(ss)[no], memory_order_relaxed);
    enum slab_state state = info_state(info);

    *was = info;
    if (state != SLAB_EMPTY && state != SLAB_EMPTY_LISTED)
        return false;
    if (!atomic_compare_exchange_strong_explicit(&ss_info(ss)[no], &info,
                                                 info_make(info_cls(info), SLAB_PARKED, 0),
                                                 memory_order_seq_cst, memory_order_relaxed))
        return false;
    count_down(empty_count(info_cls(info), state), 1);
    if (unlikely(!slab_all_free(&ss->slab[no], info_cls(info)))) {
        give_up(&ss->slab[no], info_cls(info));
        return false;
    }
    return true;
}

void pool_unpark(struct superslab *ss, unsigned no, uint32_t was)
{
    atomic_fetch_add_explicit(empty_count(info_cls(was), info_state(was)), 1, memory_order_relaxed);
    make_available(ss, no, info_cls(was), info_state(was));
}

uint64_t pool_retire(struct superslab *ss)
{
    demand_mapped(-(int32_t)ss->slabs);
    registry_remove(ss);
    return atomic_fetch_add(&pool.epoch, 1);
}

void pool_enter(struct owner *o)
{
    uint64_t looked = atomic_exchange(&o->looking, atomic_load(&pool.epoch));

    hak_assert(!looked);
    (void)looked;
}

void pool_leave(struct owner *o)
{
    hak_assert(atomic_load_explicit(&o->looking, memory_order_relaxed));
    atomic_store_explicit(&o->looking, 0, memory_order_release);
}

void pool_left(struct owner *o)
{
    atomic_store_explicit(&o->looking, 0, memory_order_relaxed);
}

static void look_after(uint32_t slot, void *owner)
{
    owner_look_after(owner, slot_slab(slot));
}

void pool_look_after_published(struct owner *o)
{
    for (unsigned c = 0; c < CLASSES; c++)
        slot_pop_all(&pool.cls[c].published, look_after, o);
}

void pool_take_back(struct superslab *ss, unsigned no)
{
    struct slab *s = &ss->slab[no];
    unsigned cls = slab_cls(s);
    enum slab_state state = config.recycle == RECYCLE_FULL ? SLAB_EMPTY_LISTED : SLAB_EMPTY;

    slab_give_up_free(s, 0);
    atomic_store_explicit(&s->remote, 0, memory_order_relaxed);
    atomic_store_explicit(&s->owner, NULL, memory_order_relaxed);
    atomic_fetch_add_explicit(empty_count(cls, state), 1, memory_order_relaxed);
    make_available(ss, no, cls, state);
}

static void settle_after_fork(struct superslab *ss, unsigned no)
{
    struct slab *s = &ss->slab[no];
    uint32_t info = slab_info(s);
    enum slab_state state = info_state(info);
    bool unowned = atomic_load_explicit(&s->remote, memory_order_relaxed) & REMOTE_UNOWNED;

    switch (state) {
    case SLAB_UNUSED: unbound_give(ss, 1u << no); break;
    case SLAB_EMPTY_LISTED:
        (void)slot_push(&pool.cls[info_cls(info)].empty, slot_of(s));
        __attribute__((fallthrough));
    case SLAB_EMPTY:
        atomic_fetch_add_explicit(empty_count(info_cls(info), state), 1, memory_order_relaxed);
        break;
    case SLAB_PARKED: pool_take_back(ss, no); break;
    case SLAB_ACTIVE:
        if (atomic_load_explicit(&s->owner, memory_order_relaxed))
            break;
        if (unowned)
            (void)slot_push(&pool.cls[info_cls(info)].published, slot_of(s));
        else
            pool_take_back(ss, no);
        break;
    }
}

/* Slabs that threads which are gone had on their way from or to the pool are where they were found,
 * or as if they had arrived; all are counted anew. */
static void find_slabs(void)
{
    struct slot_list *list[2 * CLASSES];
    uint32_t last = registry_count();

    for (unsigned c = 0; c < CLASSES; c++) {
        list[c] = &pool.cls[c].empty;
        list[CLASSES + c] = &pool.cls[c].published;
        atomic_store_explicit(&pool.cls[c].listed, 0, memory_order_relaxed);
        atomic_store_explicit(&pool.cls[c].marked, 0, memory_order_relaxed);
    }
    slots_settle(list, 2 * CLASSES);
    unbound_count_anew();
    for (uint32_t id = 1; id <= last; id++) {
        struct superslab *ss = registry_ss(id);

        if (!ss)
            continue;
        atomic_store_explicit(&ss->unused, 0, memory_order_relaxed);
        for (unsigned no = 0; no < ss->slabs; no++)
            settle_after_fork(ss, no);
    }
}

void pool_fork(enum fork_step step)
{
    if (step == FORK_CHILD)
        find_slabs();
    unbound_fork(step);
}
