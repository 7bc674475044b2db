#include "slabs.h"

#include "flows.h"
#include "footprint.h"
#include "life.h"
#include "owners.h"
#include "rules.h"
#include "superslabs.h"
#include "totals.h"
#include "verdict.h"

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

/* Its owner has given the slab back, or uses it like any other. */
static void end_visit(struct machine *m, const struct slab *s)
{
    if (s->state == SLAB_VISITED)
        owners_visited(m, s->owner);
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

/* A visit goes on while its owner is at work, unless its end may have been lost. */
static enum slab_state held_state(const struct machine *m, const struct slab *s, uint32_t owner)
{
    bool visit =
        s->state == SLAB_VISITED && s->owner == owner && *m->process->loss_until <= s->sure;

    return visit ? SLAB_VISITED : SLAB_ACTIVE;
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
    struct slab *s = class_fine(m, e->cls) ? superslabs_slab(m, e->ss, e->slab) : NULL;

    m->transitions++;
    if (!s)
        return;
    rules_active(m, s, e);
    owners_got_slab(m, e);
    footprint_needed(m, s);
    if (s->state != SLAB_LEGACY)
        life_begin(m, s, e);
    touch(m, s);
}

void slabs_empty(struct machine *m, const struct hak_ev_slab_empty *e)
{
    struct slab *s = class_fine(m, e->cls) ? superslabs_slab(m, e->ss, e->slab) : NULL;

    m->transitions++;
    if (!s)
        return;
    rules_owned(m, s, SAID(e), e->owner);
    owners_use(m, e->owner);
    end_visit(m, s);
    believe(m, s, SAID(e), held_state(m, s, e->owner), e->owner);
    life_emptied(m, s);
    touch(m, s);
}

void slabs_release(struct machine *m, const struct hak_ev_slab_release *e)
{
    struct slab *s = class_fine(m, e->cls) ? superslabs_slab(m, e->ss, e->slab) : NULL;

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
    struct slab *s = class_fine(m, e->cls) ? superslabs_slab(m, e->ss, e->slab) : NULL;

    m->transitions++;
    if (!s)
        return;
    rules_owned(m, s, SAID(e), e->owner);
    owners_published(m, e->owner, s->state == SLAB_VISITED);
    end_visit(m, s);
    believe(m, s, SAID(e), held_state(m, s, e->owner), e->owner);
    life_owner(m, s, SLAB_PUBLISHED, 0);
    s->life.used_last = e->used;
    touch(m, s);
}

void slabs_adopt(struct machine *m, const struct hak_ev_slab_adopt *e)
{
    struct slab *s = class_fine(m, e->cls) ? superslabs_slab(m, e->ss, e->slab) : NULL;

    m->transitions++;
    if (!s)
        return;
    if (s->state != SLAB_UNSEEN && s->state != SLAB_HELD &&
        rules_state(m, s, SLAB_PUBLISHED, "not_published", "a published slab"))
        rules_life(m, s, SAID(e));
    believe(m, s, SAID(e), owners_adopted(m, e) ? SLAB_VISITED : SLAB_ACTIVE, e->owner);
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
    if (s->state == SLAB_VISITED && m->event == HAK_EV_sll_refill) {
        complain(m, ABOUT_SLAB(s), "visit_used",
                 "slab_publish, or slab_empty and slab_release: it was adopted outside an acquire");
        end_visit(m, s);
        believe(m, s, e, SLAB_ACTIVE, owner);
    } else {
        believe(m, s, e, held_state(m, s, owner), owner);
    }
}

void slabs_refill(struct machine *m, const struct hak_ev_sll_refill *e)
{
    struct slab *s = class_fine(m, e->cls) ? superslabs_slab(m, e->ss, e->slab) : NULL;
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
    struct slab *s = class_fine(m, e->cls) ? superslabs_slab(m, e->ss, e->slab) : NULL;
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
    flows_push(m, s->owner ? s->tid : 0, e->blocks);
}

void slabs_collect(struct machine *m, const struct hak_ev_remote_drain *e)
{
    struct slab *s = class_fine(m, e->cls) ? superslabs_slab(m, e->ss, e->slab) : NULL;
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
