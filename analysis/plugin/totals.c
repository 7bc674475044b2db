#include "totals.h"

#include "footprint.h"
#include "memory.h"

static unsigned slot_of(uint32_t cls)
{
    return cls < CLASSES ? cls : CLASSES;
}

static int64_t cls_of(unsigned slot)
{
    return slot < CLASSES ? slot : CLASS_NONE;
}

static struct class_totals *get(struct process *p, unsigned slot)
{
    if (!p->class[slot]) {
        p->class[slot] = memory_new(sizeof(struct class_totals));
        p->class[slot]->peak_at = p->class[slot]->frozen = UNKNOWN;
    }
    return p->class[slot];
}

static void note_tick(struct machine *m, struct process *p, unsigned slot)
{
    if (m->ticked_count == m->ticked_room) {
        m->ticked_room = m->ticked_room ? m->ticked_room * 2 : 64;
        m->ticked = memory_grow(m->ticked, m->ticked_room * sizeof(*m->ticked));
    }
    m->ticked[m->ticked_count++] = (struct ticked){p, slot};
    p->class[slot]->ticked = true;
}

struct class_totals *totals_of(struct machine *m, uint32_t cls)
{
    unsigned slot = slot_of(cls);
    struct class_totals *t = get(m->process, slot);

    if (!t->ticked && m->counting)
        note_tick(m, m->process, slot);
    return t;
}

/* Moves on to the period that is now. In those between nothing changed. */
static void begin_period(const struct machine *m, struct class_totals *t)
{
    int64_t period = m->now >> SETTLED_LG;

    /* What a dump told is believed later, as of its time. */
    if (period <= t->period)
        return;
    t->low_before = period == t->period + 1 ? t->low : t->active;
    t->low = t->active;
    t->period = period;
}

uint32_t totals_active_lately(const struct machine *m, struct class_totals *t)
{
    begin_period(m, t);
    return t->low < t->low_before ? t->low : t->low_before;
}

void totals_active(struct machine *m, struct process *p, uint32_t cls, int change)
{
    unsigned slot = slot_of(cls);
    struct class_totals *t = get(p, slot);

    begin_period(m, t);
    t->active += (uint32_t)change;
    if (t->active < t->low)
        t->low = t->active;
    if (!m->counting)
        return;
    if (!t->ticked)
        note_tick(m, p, slot);
    if (t->active > t->peak) {
        t->peak = t->active;
        t->peak_at = m->now;
    }
}

void totals_stage(struct machine *m, const struct hak_ev_acquire_stage *e)
{
    struct class_totals *t = totals_of(m, e->cls);

    if (!m->counting || e->stage >= HAK_COUNT_stage || e->outcome >= HAK_COUNT_outcome)
        return;
    t->stage[e->stage][e->outcome]++;
    t->scanned[e->stage][e->outcome] += e->scanned;
    t->ns[e->stage][e->outcome] += e->ns;
    if (e->outcome == HAK_HIT)
        t->tick.stage[e->stage]++;
}

/* Refusals from first to last that are much as e says. */
struct refusals {
    uint64_t count, told, forgotten, unlisted;
    int64_t first, last;
};

static bool is_worse(const struct hak_ev_shared_fail *e, const struct hak_ev_shared_fail *than)
{
    return e->listed + e->marked + e->unmarked > than->listed + than->marked + than->unmarked;
}

static void count_refusals(struct machine *m, struct refusals r, const struct hak_ev_shared_fail *e)
{
    struct class_totals *t = totals_of(m, e->cls);
    struct fail_total *f;

    if (!m->counting || e->reason >= HAK_COUNT_fail_reason || !r.count)
        return;
    f = &t->fail[e->reason];
    if (!f->count || r.first < f->first)
        f->first = r.first;
    if (!f->count || r.last > f->last)
        f->last = r.last;
    if (!f->count || is_worse(e, &f->worst))
        f->worst = *e;
    f->count += r.count;
    f->told += r.told;
    f->forgotten += r.forgotten;
    f->unlisted += r.unlisted;
    t->tick.shared_fail += r.count;
}

void totals_shared_fail(struct machine *m, const struct hak_ev_shared_fail *e)
{
    struct refusals one = {.count = 1,
                           .told = 1,
                           .forgotten = (uint64_t)hak_slabs_matter(e->unmarked, e->active),
                           .unlisted = (uint64_t)hak_slabs_matter(e->marked, e->active),
                           .first = m->now,
                           .last = m->now};

    count_refusals(m, one, e);
}

static void count_answers(struct machine *m, struct class_totals *t, enum hak_stage stage,
                          uint32_t outcome, uint64_t count, uint64_t scanned, uint64_t ns)
{
    if (!m->counting || outcome >= HAK_COUNT_outcome)
        return;
    t->stage[stage][outcome] += count;
    t->scanned[stage][outcome] += scanned;
    t->ns[stage][outcome] += ns;
}

void totals_shared_fail_sum(struct machine *m, const struct hak_ev_shared_fail_sum *e)
{
    struct class_totals *t = totals_of(m, e->cls);
    struct hak_ev_shared_fail worst = {.cls = e->cls,
                                       .owner = e->owner,
                                       .reason = e->reason,
                                       .active = e->active,
                                       .cap = e->cap,
                                       .listed = e->listed,
                                       .marked = e->marked,
                                       .beyond = e->beyond,
                                       .unmarked = e->unmarked};
    struct refusals all = {.count = e->count,
                           .forgotten = e->forgotten,
                           .unlisted = e->unlisted,
                           .first = machine_ago(m, e->first_ago),
                           .last = machine_ago(m, e->last_ago)};

    count_refusals(m, all, &worst);
    count_answers(m, t, HAK_STAGE_0_5, e->o_0_5, e->count, e->scanned_0_5, e->ns_0_5);
    count_answers(m, t, HAK_STAGE_1, e->o_1, e->count, e->scanned_1, e->ns_1);
    count_answers(m, t, HAK_STAGE_2, e->o_2, e->count, e->scanned_2, e->ns_2);
    count_answers(m, t, HAK_ADOPT, e->o_adopt, e->count, e->scanned_adopt, e->ns_adopt);
    count_answers(m, t, HAK_REBIND, e->o_rebind, e->count, e->scanned_rebind, e->ns_rebind);
    count_answers(m, t, HAK_STAGE_3, e->o_3, e->count, e->scanned_3, e->ns_3);
}

static void count_legacy(struct machine *m, const struct hak_ev_legacy_alloc_sum *e, uint64_t told)
{
    struct class_totals *t = totals_of(m, e->cls);

    if (!m->counting || e->source >= HAK_COUNT_legacy_source || e->why >= HAK_COUNT_legacy_why)
        return;
    t->legacy[e->source][e->why] += e->count;
    t->legacy_told[e->source][e->why] += told;
    t->legacy_bytes[e->source][e->why] += e->bytes;
    t->tick.legacy += e->count;
}

void totals_legacy_sum(struct machine *m, const struct hak_ev_legacy_alloc_sum *e)
{
    count_legacy(m, e, 0);
}

void totals_legacy(struct machine *m, const struct hak_ev_legacy_alloc *e)
{
    struct hak_ev_legacy_alloc_sum one = {
        .count = 1, .cls = e->cls, .source = e->source, .why = e->why, .bytes = e->size};

    count_legacy(m, &one, 1);
}

void totals_pool_lock(struct machine *m, const struct hak_ev_pool_lock *e)
{
    struct class_totals *t = totals_of(m, e->cls);

    if (!m->counting)
        return;
    t->locks++;
    t->contended += e->waited_ns != 0;
    t->waited_ns += e->waited_ns;
    if (e->waited_ns > t->waited_max_ns)
        t->waited_max_ns = e->waited_ns;
}

void totals_cap(struct machine *m, uint32_t cls, uint32_t cap)
{
    totals_of(m, cls)->cap = cap;
}

/* ---- ticks ---- */

static int by_process_and_class(const void *a, const void *b)
{
    const struct ticked *x = a, *y = b;

    if (x->process->number != y->process->number)
        return x->process->number < y->process->number ? -1 : 1;
    return (int)x->slot - (int)y->slot;
}

static void put_tick(struct machine *m, const struct ticked *at)
{
    struct class_totals *t = at->process->class[at->slot];
    const struct tick_counts *c = &t->tick;

    PUT(m->store, tick, (NULL), m->tick, at->process->number, cls_of(at->slot),
        c->stage[HAK_STAGE_0_5], c->stage[HAK_STAGE_1], c->stage[HAK_STAGE_2],
        c->stage[HAK_STAGE_3], c->stage[HAK_ADOPT], c->stage[HAK_REBIND], c->shared_fail, c->legacy,
        batched(m, c->refills), batched(m, c->refilled), batched(m, c->given_own),
        batched(m, c->given_remote), batched(m, c->pushed), t->active);
    t->tick = (struct tick_counts){0};
    t->ticked = false;
}

void totals_end_tick_of(struct machine *m, const struct process *p)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < m->ticked_count; i++) {
        if (m->ticked[i].process == p)
            put_tick(m, &m->ticked[i]);
        else
            m->ticked[kept++] = m->ticked[i];
    }
    m->ticked_count = kept;
}

void totals_end_tick(struct machine *m)
{
    if (m->ticked_count == 0)
        return;
    qsort(m->ticked, m->ticked_count, sizeof(*m->ticked), by_process_and_class);
    for (unsigned i = 0; i < m->ticked_count; i++)
        put_tick(m, &m->ticked[i]);
    m->ticked_count = 0;
}

/* ---- the window's begin, the process's end ---- */

static void window_process(void *value, void *arg)
{
    struct process *p = value;
    struct machine *m = arg;

    for (unsigned slot = 0; slot < CLASS_SLOTS; slot++)
        if (p->class[slot]) {
            p->class[slot]->peak = p->class[slot]->active;
            p->class[slot]->peak_at = m->now;
        }
    footprint_window(m, p);
}

void totals_window(struct machine *m)
{
    map_each(&m->processes, window_process, m);
}

static void put_stages(struct machine *m, const struct process *p, unsigned slot)
{
    const struct class_totals *t = p->class[slot];

    for (unsigned s = 0; s < HAK_COUNT_stage; s++)
        for (unsigned o = 0; o < HAK_COUNT_outcome; o++)
            if (t->stage[s][o])
                PUT(m->store, stage_total, (NULL), p->number, cls_of(slot), s, o, t->stage[s][o],
                    t->scanned[s][o], t->ns[s][o]);
}

static void put_fails(struct machine *m, const struct process *p, unsigned slot)
{
    for (unsigned r = 0; r < HAK_COUNT_fail_reason; r++) {
        const struct fail_total *f = &p->class[slot]->fail[r];

        if (f->count)
            PUT(m->store, fail_total, (NULL), p->number, cls_of(slot), r, f->count, f->first,
                f->last, f->worst.active, f->worst.cap, f->worst.listed, f->worst.marked,
                f->worst.beyond, f->worst.unmarked, f->forgotten, f->unlisted, f->told);
    }
}

static void put_legacy(struct machine *m, const struct process *p, unsigned slot)
{
    const struct class_totals *t = p->class[slot];

    for (unsigned s = 0; s < HAK_COUNT_legacy_source; s++)
        for (unsigned w = 0; w < HAK_COUNT_legacy_why; w++)
            if (t->legacy[s][w])
                PUT(m->store, legacy_total, (NULL), p->number, cls_of(slot), s, w, t->legacy[s][w],
                    t->legacy_bytes[s][w], t->legacy_told[s][w]);
}

static void put_class(struct machine *m, const struct process *p, unsigned slot)
{
    const struct class_totals *t = p->class[slot];

    PUT(m->store, class_total, (NULL), p->number, cls_of(slot), t->active, t->peak, t->peak_at,
        t->cap, t->lives, t->carried, t->emptied, t->listed, t->unlisted, batched(m, t->refills),
        batched(m, t->refilled), batched(m, t->carved), batched(m, t->drains),
        batched(m, t->given_own), batched(m, t->given_remote), batched(m, t->pushes),
        batched(m, t->pushed), batched(m, t->collects), batched(m, t->collected),
        batched(m, t->locks), batched(m, t->contended), batched(m, t->waited_ns),
        batched(m, t->waited_max_ns));
}

void totals_close(struct machine *m, struct process *p)
{
    for (unsigned slot = 0; slot < CLASS_SLOTS; slot++) {
        if (!p->class[slot])
            continue;
        put_class(m, p, slot);
        put_stages(m, p, slot);
        put_fails(m, p, slot);
        put_legacy(m, p, slot);
        free(p->class[slot]);
        p->class[slot] = NULL;
    }
}
