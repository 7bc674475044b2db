#include "slabs.h"

#include <inttypes.h>

#include "life.h"
#include "memory.h"
#include "owners.h"
#include "rules.h"
#include "totals.h"
#include "verdict.h"

static struct superslab *superslab_note(struct process *p, uint64_t address)
{
    struct superslab *ss = memory_new(sizeof(*ss));

    ss->address = address;
    map_put(&p->superslabs, address, ss);
    return ss;
}

void slabs_superslab_map(struct machine *m, const struct hak_ev_superslab_map *e)
{
    struct process *p = m->process;
    struct superslab *ss = map_get(&p->superslabs, e->ss);

    m->transitions++;
    if (e->ss & (SS_ALIGN - 1) || e->slabs > SS_SLABS_MAX || e->slabs == 0)
        complain(m, ABOUT_PROCESS, "geometry", "an address aligned to 512 KiB and 8 to 32 slabs");
    else if (ss)
        complain(m, ABOUT_PROCESS, "mapped_twice", "an address where no SuperSlab is mapped");
    if (!ss)
        ss = superslab_note(p, e->ss);
    ss->lg = e->lg;
    ss->slabs = e->slabs;
    ss->kind = (enum hak_ss_kind)e->kind;
    if (m->counting)
        PUT(m->store, superslab, (NULL), p->number, m->now, (int64_t)e->ss, e->lg, e->slabs,
            e->kind, e->cls, (int64_t)e->ns);
}

/* A slab that is met for the first time; NULL if there can be no such slab. */
static struct slab *slab_new(struct machine *m, uint64_t address, uint32_t number)
{
    struct process *p = m->process;
    struct superslab *ss;
    struct slab *s;

    if (address & (SS_ALIGN - 1) || number >= SS_SLABS_MAX) {
        complain(m, ABOUT_PROCESS, "geometry", "an address aligned to 512 KiB and a slab below 32");
        return NULL;
    }
    ss = map_get(&p->superslabs, address);
    if (!ss && p->complete)
        complain(m, ABOUT_PROCESS, "not_mapped", "superslab_map of 0x%" PRIx64 " first", address);
    else if (ss && ss->slabs && number >= ss->slabs)
        complain(m, ABOUT_PROCESS, "geometry", "a slab below %u", ss->slabs);
    if (!ss)
        ss = superslab_note(p, address);
    s = memory_new(sizeof(*s));
    s->seen = s->sure = UNKNOWN;
    s->state = !ss->slabs ? SLAB_UNSEEN : ss->kind == HAK_LEGACY ? SLAB_LEGACY : SLAB_UNUSED;
    s->life.proc = p->number;
    s->life.ss = address;
    s->life.slab = number;
    map_put(&p->slabs, address | number, s);
    return s;
}

static inline struct slab *slab_of(struct machine *m, uint64_t address, uint32_t number)
{
    /* The low bits of a SuperSlab's address are free for the number. */
    struct slab *s = (address & (SS_ALIGN - 1)) == 0 && number < SS_SLABS_MAX
                         ? map_get(&m->process->slabs, address | number)
                         : NULL;

    return s ? s : slab_new(m, address, number);
}

/* What somebody has seen of the slab who need not own it. */
static inline void touch_from_outside(struct machine *m, struct slab *s)
{
    s->seen = m->now;
    s->seen_event = m->event;
}

static inline void touch(struct machine *m, struct slab *s)
{
    touch_from_outside(m, s);
    s->sure = m->now;
}

/* Brings the slab to where an event says it is: ACTIVE in this life. */
static void believe(struct machine *m, struct slab *s, struct said e, enum slab_state state,
                    uint32_t owner)
{
    if (s->state == SLAB_LEGACY)
        return;
    if (!slab_is_live(s) || s->life.gen != e.gen || s->life.cls != e.cls)
        life_carry(m, s, e.gen, e.cls);
    if (s->state != state || s->owner != owner)
        life_owner(m, s, state, owner);
}

/* ---- lifecycle ---- */

static bool class_fine(struct machine *m, uint32_t cls)
{
    if (cls < CLASSES)
        return true;
    complain(m, ABOUT_PROCESS, "class", "a class below %u", CLASSES);
    return false;
}

void slabs_active(struct machine *m, const struct hak_ev_slab_active *e)
{
    struct slab *s = class_fine(m, e->cls) ? slab_of(m, e->ss, e->slab) : NULL;

    m->transitions++;
    if (!s)
        return;
    rules_active(m, s, e);
    owners_got_slab(m, e);
    if (s->state != SLAB_LEGACY)
        life_begin(m, s, e);
    touch(m, s);
}

void slabs_empty(struct machine *m, const struct hak_ev_slab_empty *e)
{
    struct slab *s = class_fine(m, e->cls) ? slab_of(m, e->ss, e->slab) : NULL;

    m->transitions++;
    if (!s)
        return;
    rules_owned(m, s, SAID(e), e->owner);
    owners_use(m, e->owner);
    believe(m, s, SAID(e), SLAB_ACTIVE, e->owner);
    life_emptied(m, s);
    touch(m, s);
}

void slabs_release(struct machine *m, const struct hak_ev_slab_release *e)
{
    struct slab *s = class_fine(m, e->cls) ? slab_of(m, e->ss, e->slab) : NULL;

    m->transitions++;
    if (!s)
        return;
    if (s->state != SLAB_UNSEEN && s->state != SLAB_HELD &&
        rules_state(m, s, SLAB_EMPTY, "not_empty", "a slab right after its slab_empty"))
        rules_life(m, s, SAID(e));
    life_released(m, s, e->gen, e->cls, e->listed != 0);
    touch(m, s);
}

void slabs_publish(struct machine *m, const struct hak_ev_slab_publish *e)
{
    struct slab *s = class_fine(m, e->cls) ? slab_of(m, e->ss, e->slab) : NULL;

    m->transitions++;
    if (!s)
        return;
    rules_owned(m, s, SAID(e), e->owner);
    owners_published(m, e->owner);
    believe(m, s, SAID(e), SLAB_ACTIVE, e->owner);
    life_owner(m, s, SLAB_PUBLISHED, 0);
    s->life.used_last = e->used;
    touch(m, s);
}

void slabs_adopt(struct machine *m, const struct hak_ev_slab_adopt *e)
{
    struct slab *s = class_fine(m, e->cls) ? slab_of(m, e->ss, e->slab) : NULL;

    m->transitions++;
    if (!s)
        return;
    if (s->state != SLAB_UNSEEN && s->state != SLAB_HELD &&
        rules_state(m, s, SLAB_PUBLISHED, "not_published", "a published slab"))
        rules_life(m, s, SAID(e));
    owners_adopted(m, e);
    believe(m, s, SAID(e), SLAB_ACTIVE, e->owner);
    s->life.used_last = e->used;
    touch(m, s);
}

/* ---- flow ---- */

/* The usual case: the slab is its owner's, in the life that the event says. */
static inline bool as_owned(const struct slab *s, uint32_t gen, uint32_t cls, uint32_t owner)
{
    return s->state == SLAB_ACTIVE && s->life.gen == gen && s->life.cls == cls && s->owner == owner;
}

/* Only the legacy backend's owner touches its slabs: now it is known what this one is. */
static bool became_legacy(struct machine *m, struct slab *s, uint32_t owner)
{
    if (owner != OWNER_LEGACY || (s->state != SLAB_UNSEEN && s->state != SLAB_HELD))
        return false;
    life_forget(m, s);
    return true;
}

static void owned_flow(struct machine *m, struct slab *s, struct said e, uint32_t owner)
{
    if (as_owned(s, e.gen, e.cls, owner) || became_legacy(m, s, owner))
        return;
    rules_owned(m, s, e, owner);
    believe(m, s, e, SLAB_ACTIVE, owner);
}

void slabs_refill(struct machine *m, const struct hak_ev_sll_refill *e)
{
    struct slab *s = class_fine(m, e->cls) ? slab_of(m, e->ss, e->slab) : NULL;
    struct class_totals *t;
    struct owner *o;

    m->flows++;
    if (!s)
        return;
    owned_flow(m, s, SAID(e), e->owner);
    o = owners_use(m, e->owner);
    touch(m, s);
    s->life.refills++;
    s->life.refilled += e->taken;
    s->life.used_last = e->used;
    if (e->used > s->life.used_max)
        s->life.used_max = e->used;
    if (!m->counting)
        return;
    o->refills++;
    o->refilled += e->taken;
    t = totals_of(m, e->cls);
    t->refills++;
    t->refilled += e->taken;
    t->carved += e->from == HAK_CARVED ? e->taken : 0;
    t->tick.refills++;
    t->tick.refilled += e->taken;
}

void slabs_push(struct machine *m, const struct hak_ev_remote_push *e)
{
    struct slab *s = class_fine(m, e->cls) ? slab_of(m, e->ss, e->slab) : NULL;
    struct class_totals *t;

    m->flows++;
    if (!s)
        return;
    if (s->state != SLAB_UNSEEN && s->state != SLAB_LEGACY) {
        if (!slab_is_live(s))
            complain(m, ABOUT_SLAB(s), "not_active", "an ACTIVE or published slab, but it is %s",
                     rules_state_text(s));
        else
            rules_life(m, s, SAID(e));
    }
    if (!slab_is_live(s) || s->life.gen != e->gen || s->life.cls != e->cls)
        believe(m, s, SAID(e), SLAB_HELD, 0);
    touch_from_outside(m, s);
    s->life.pushes++;
    s->life.pushed += e->blocks;
    if (!m->counting)
        return;
    t = totals_of(m, e->cls);
    t->pushes++;
    t->pushed += e->blocks;
    t->tick.pushed += e->blocks;
}

void slabs_collect(struct machine *m, const struct hak_ev_remote_drain *e)
{
    struct slab *s = class_fine(m, e->cls) ? slab_of(m, e->ss, e->slab) : NULL;
    struct class_totals *t;
    struct owner *o;

    m->flows++;
    if (!s)
        return;
    owned_flow(m, s, SAID(e), e->owner);
    o = owners_use(m, e->owner);
    touch(m, s);
    s->life.drains++;
    s->life.drained += e->blocks;
    s->life.used_last = e->used;
    if (!m->counting)
        return;
    o->collects++;
    o->collected += e->blocks;
    t = totals_of(m, e->cls);
    t->collects++;
    t->collected += e->blocks;
}

/* ---- the end ---- */

struct closing {
    struct machine *machine;
    enum life_end ended;
};

static void close_slab(void *value, void *arg)
{
    struct closing *c = arg;

    life_close(c->machine, value, c->ended);
    free(value);
}

static void close_superslab(void *value, void *unused)
{
    (void)unused;
    free(value);
}

void slabs_close(struct machine *m, struct process *p, enum life_end ended)
{
    struct closing c = {m, ended};

    map_each(&p->slabs, close_slab, &c);
    map_free(&p->slabs);
    map_each(&p->superslabs, close_superslab, NULL);
    map_free(&p->superslabs);
}
