#include "life.h"

#include <errno.h>
#include <string.h>

#include "owners.h"
#include "totals.h"

static void set_state(struct machine *m, struct slab *s, enum slab_state state)
{
    bool was_live = slab_is_live(s);

    s->state = state;
    if (slab_is_live(s) != was_live)
        totals_active(m, m->process, s->life.cls, was_live ? -1 : 1);
}

static void put(struct machine *m, struct slab *s)
{
    const struct life *l = &s->life;

    s->untold = false;
    if ((m->end != UNKNOWN && l->begin != UNKNOWN && l->begin >= m->end) ||
        (l->end != UNKNOWN && l->end < m->begin))
        return;
    if (!runs_add(m->runs, l))
        store_fail(m->store, "cannot write a temporary file", strerror(errno));
}

/* The time of the slab's present owner is over. */
static void put_spell(struct machine *m, const struct slab *s, int64_t end)
{
    const struct life *l = &s->life;

    if (m->counting)
        PUT(m->store, spell, (NULL), l->proc, (int64_t)l->ss, l->mapping, l->slab, l->n, l->spells,
            s->owner, s->tid, s->owned_since, end);
}

/* A life with one owner says all of it in its own row. */
static void put_last_spell(struct machine *m, const struct slab *s, int64_t end)
{
    if (s->life.spells > 1)
        put_spell(m, s, end);
}

void life_close(struct machine *m, struct slab *s, enum life_end ended)
{
    if (!s->untold)
        return;
    if (slab_is_live(s)) {
        s->life.ended = (uint8_t)ended;
        s->life.end = ended == LIFE_PROCESS ? m->now : UNKNOWN;
        put_last_spell(m, s, s->life.end);
    } else if (s->state == SLAB_EMPTY) {
        s->life.ended = LIFE_UNSEEN;
    }
    put(m, s);
}

void life_gone(struct machine *m, struct slab *s)
{
    set_state(m, s, SLAB_UNSEEN);
}

void life_purged(struct machine *m, struct slab *s)
{
    if (s->state != SLAB_LISTED && s->state != SLAB_UNLISTED) {
        life_close(m, s, LIFE_UNSEEN);
        set_state(m, s, SLAB_UNSEEN);
    }
    s->life.purged = m->now;
}

/* Makes room for another life, whatever became of the one before. */
static void renew(struct machine *m, struct slab *s, uint32_t gen, uint32_t cls)
{
    struct life *l = &s->life;

    life_close(m, s, LIFE_UNSEEN);
    set_state(m, s, SLAB_UNSEEN);
    *l = (struct life){.ss = l->ss,
                       .proc = l->proc,
                       .mapping = l->mapping,
                       .slab = l->slab,
                       .n = l->n + 1,
                       .gen = gen,
                       .cls = (uint8_t)cls,
                       .from_cls = (uint8_t)cls,
                       .begin = UNKNOWN,
                       .end = UNKNOWN,
                       .purged = UNKNOWN,
                       .unmapped = UNKNOWN,
                       .dumped = UNKNOWN,
                       .stage = HAK_COUNT_stage,
                       .spells = 1,
                       .certain = !m->complained};
    s->untold = true;
    s->owner = s->tid = 0;
    s->owned_since = UNKNOWN;
}

void life_begin(struct machine *m, struct slab *s, const struct hak_ev_slab_active *e)
{
    renew(m, s, e->gen, e->cls);
    s->life.begin = s->owned_since = m->now;
    s->life.owner = s->owner = e->owner;
    s->life.tid = s->tid = owners_tid(m, e->owner);
    s->life.capacity = e->capacity;
    s->life.stage = (uint8_t)e->stage;
    s->life.from_cls = (uint8_t)e->from_cls;
    set_state(m, s, SLAB_ACTIVE);
    if (m->counting) {
        m->lives++;
        totals_of(m, e->cls)->lives++;
    }
}

void life_carry(struct machine *m, struct slab *s, uint32_t gen, uint32_t cls)
{
    renew(m, s, gen, cls);
    set_state(m, s, SLAB_HELD);
    if (m->counting) {
        m->carried++;
        totals_of(m, cls)->carried++;
    }
}

void life_owner(struct machine *m, struct slab *s, enum slab_state state, uint32_t owner)
{
    struct life *l = &s->life;

    if (s->state == SLAB_HELD) {
        /* Learning whose it has been all along is no change of hands. */
        l->owner = owner;
        l->tid = owners_tid(m, owner);
    } else {
        put_spell(m, s, m->now);
        l->spells++;
        s->owned_since = m->now;
    }
    s->owner = owner;
    s->tid = owners_tid(m, owner);
    set_state(m, s, state);
}

void life_emptied(struct machine *m, struct slab *s)
{
    s->life.end = m->now;
    s->life.used_last = 0;
    put_last_spell(m, s, m->now);
    set_state(m, s, SLAB_EMPTY);
    if (m->counting)
        totals_of(m, s->life.cls)->emptied++;
}

void life_released(struct machine *m, struct slab *s, uint32_t gen, uint32_t cls, bool listed)
{
    if (slab_is_live(s))
        life_emptied(m, s);
    if (s->state == SLAB_EMPTY)
        s->life.ended = listed ? LIFE_LISTED : LIFE_UNLISTED;
    if (s->state == SLAB_LEGACY)
        return;
    s->life.gen = gen;
    s->life.cls = (uint8_t)cls;
    set_state(m, s, listed ? SLAB_LISTED : SLAB_UNLISTED);
    if (m->counting)
        *(listed ? &totals_of(m, cls)->listed : &totals_of(m, cls)->unlisted) += 1;
}

void life_told(struct machine *m, struct slab *s, enum slab_state state,
               const struct hak_ev_statedump_slab *e, int64_t at)
{
    bool same = slab_is_live(s) && s->life.gen == e->gen && s->life.cls == e->cls;

    if (state == SLAB_LISTED || state == SLAB_UNLISTED) {
        renew(m, s, e->gen, e->cls);
        s->untold = false;
        set_state(m, s, state);
        return;
    }
    if (!same)
        life_carry(m, s, e->gen, e->cls);
    if (s->state != state || s->owner != e->owner)
        life_owner(m, s, state, e->owner);
    s->life.capacity = e->capacity;
    if (s->life.begin == UNKNOWN)
        s->life.dumped = at;
}

void life_never(struct machine *m, struct slab *s)
{
    life_close(m, s, LIFE_UNSEEN);
    set_state(m, s, SLAB_UNUSED);
    s->untold = false;
}

void life_forget(struct machine *m, struct slab *s)
{
    if (slab_is_live(s) && m->counting) {
        m->carried--;
        totals_of(m, s->life.cls)->carried--;
    }
    set_state(m, s, SLAB_LEGACY);
    s->untold = false;
}
