#include "base.h"

#include "footprint.h"
#include "life.h"
#include "owners.h"
#include "rules.h"
#include "superslabs.h"
#include "verdict.h"

#define SLAB_BYTES 65536u
#define HEADER_BYTES 4096u /* of slab 0, which keep their memory */

/* A session may enable its events one after the other; the next tick's dump covers them all. */
#define SESSION_NS (4 * SETTLED_NS)

enum mode {
    FILL,  /* only what is not known yet */
    TAKE,  /* the recording begins here: not all that came before is in it */
    JUDGE, /* what the events tell is all there was */
};

struct base {
    struct machine *machine;
    const struct dump *dump;
    int64_t since;
    enum mode mode;
};

static bool begins_here(const struct process *p, const struct dump *d)
{
    return d->about.why == HAK_DUMP_SESSION && !p->complete;
}

int64_t base_due(const struct process *p, const struct dump *d)
{
    return d->end + (begins_here(p, d) ? SESSION_NS : SETTLED_NS);
}

/* ---- the dump's event at hand ---- */

struct at_hand {
    int64_t now;
    enum hak_event event;
    const union any_event *payload;
    bool complained;
};

static struct at_hand save(const struct machine *m)
{
    return (struct at_hand){m->now, m->event, m->payload, m->complained};
}

static void restore(struct machine *m, const struct at_hand *saved)
{
    m->now = saved->now;
    m->event = saved->event;
    m->payload = saved->payload;
    m->complained = saved->complained;
}

/* What comes is about this event. */
static void look_at(const struct base *b, int64_t time, enum hak_event event, const void *payload)
{
    b->machine->now = time;
    b->machine->event = event;
    b->machine->payload = payload;
    b->machine->complained = false;
}

/* ---- slabs ---- */

static enum slab_state told_state(const struct hak_ev_statedump_slab *e)
{
    switch (e->state) {
    case HAK_DUMPED_ACTIVE: return e->owner ? SLAB_ACTIVE : SLAB_PUBLISHED;
    case HAK_DUMPED_EMPTY: return SLAB_UNLISTED;
    case HAK_DUMPED_EMPTY_LISTED: return SLAB_LISTED;
    default: return SLAB_UNSEEN; /* in the hands of whoever gives its memory back, for a moment */
    }
}

static bool is_held(enum slab_state state)
{
    return state == SLAB_ACTIVE || state == SLAB_PUBLISHED;
}

static bool agrees(const struct slab *s, enum slab_state told,
                   const struct hak_ev_statedump_slab *e)
{
    if (s->state == SLAB_UNUSED || s->life.gen != e->gen || s->life.cls != e->cls)
        return false;
    switch (s->state) {
    case SLAB_ACTIVE:
    case SLAB_VISITED: return told == SLAB_ACTIVE && s->owner == e->owner;
    case SLAB_HELD:
    case SLAB_EMPTY: return is_held(told); /* its slab_release may be on its way */
    default: return told == s->state;
    }
}

/* After a double free a slab that seemed EMPTY is left alone for ever, without a word. */
static bool given_up(const struct base *b, const struct slab *s, enum slab_state told)
{
    return b->dump->process.double_frees && told == SLAB_PUBLISHED &&
           (s->state == SLAB_LISTED || s->state == SLAB_UNLISTED);
}

static void disagree(struct machine *m, struct slab *s)
{
    if (s->state == SLAB_UNUSED)
        complain(m, ABOUT_SLAB(s), "dump_disagrees", "slab_active first: the slab is UNUSED");
    else
        complain(m, ABOUT_SLAB(s), "dump_disagrees",
                 "what the events tell: gen=%u cls=%u, %s, owner %u", s->life.gen, s->life.cls,
                 rules_state_text(s), slab_is_live(s) ? s->owner : 0);
}

static void believe(const struct base *b, struct slab *s, enum slab_state told,
                    const struct told_slab *t, bool purged)
{
    life_told(b->machine, s, told, &t->event, b->dump->begin);
    if (is_held(told))
        footprint_needed(b->machine, s);
    else if (purged && !s->returned)
        footprint_returned(b->machine, s, SLAB_BYTES - (t->event.slab ? 0 : HEADER_BYTES));
    if (s->seen < b->since) {
        s->seen = t->time;
        s->seen_event = HAK_EV_statedump_slab;
    }
}

static void note_use(struct slab *s, const struct hak_ev_statedump_slab *e)
{
    if (!slab_is_live(s))
        return;
    s->life.used_last = e->used;
    if (e->used > s->life.used_max)
        s->life.used_max = e->used;
}

/* May the dump add to what an event since tells, who need not own the slab? */
static bool adds(const struct slab *s, enum slab_state told, const struct hak_ev_statedump_slab *e)
{
    if (s->state == SLAB_UNSEEN)
        return !is_held(told); /* purged: it is EMPTY */
    return s->state == SLAB_HELD && is_held(told) && s->life.gen == e->gen && s->life.cls == e->cls;
}

static void take_slab(const struct base *b, struct superslab *ss, bool met,
                      const struct told_slab *t, bool purged)
{
    enum slab_state told = told_state(&t->event);
    struct slab *s = superslabs_slab(b->machine, ss->address, t->event.slab);
    bool known;

    if (!s || s->state == SLAB_LEGACY || told == SLAB_UNSEEN || t->event.cls >= CLASSES)
        return;
    if (s->seen >= b->since) {
        if (adds(s, told, &t->event))
            believe(b, s, told, t, purged);
        return;
    }
    known = s->state != SLAB_UNSEEN && (met || s->state != SLAB_UNUSED);
    if (known && b->mode == FILL)
        return;
    if (known && !agrees(s, told, &t->event) && !given_up(b, s, told))
        disagree(b->machine, s);
    b->machine->dumped += known && b->mode == JUDGE;
    if (!known || s->state == SLAB_HELD || !agrees(s, told, &t->event))
        believe(b, s, told, t, purged);
    s->sure = b->since;
    note_use(s, &t->event);
}

/* Of a SuperSlab that was told, a slab that was not. */
static void take_unused(const struct base *b, struct slab *s)
{
    if (s->seen >= b->since || s->state == SLAB_UNUSED || s->state == SLAB_LEGACY ||
        b->mode == FILL)
        return;
    if (s->state != SLAB_UNSEEN)
        disagree(b->machine, s);
    life_never(b->machine, s);
    s->sure = b->since;
}

/* ---- SuperSlabs ---- */

/* t[0] … t[count - 1] are the slabs that were told of it. */
static void take_superslab(const struct base *b, const struct told_superslab *told,
                           const struct told_slab *t, unsigned count)
{
    const struct hak_ev_statedump_superslab *e = &told->event;
    uint32_t bound = 0;
    struct superslab *ss;
    bool met;

    look_at(b, told->time, HAK_EV_statedump_superslab, e);
    ss = superslabs_told(b->machine, e, b->since, &met);
    if (!ss || ss->kind == HAK_LEGACY)
        return;
    for (unsigned i = 0; i < count; i++) {
        if (t[i].event.slab >= ss->slabs)
            continue;
        bound |= 1u << t[i].event.slab;
        look_at(b, t[i].time, HAK_EV_statedump_slab, &t[i].event);
        take_slab(b, ss, met, &t[i], e->purged >> t[i].event.slab & 1);
    }
    for (unsigned i = 0; i < ss->slabs; i++) {
        look_at(b, told->time, HAK_EV_statedump_superslab, e);
        if (ss->slab[i] && !(bound >> i & 1))
            take_unused(b, ss->slab[i]);
    }
}

static void take_all(const struct base *b)
{
    const struct dump *d = b->dump;
    unsigned at = 0;

    for (unsigned i = 0; i < d->threads; i++)
        owners_told(b->machine, &d->thread[i]);
    for (unsigned i = 0; i < d->superslabs; i++) {
        unsigned first = at;

        while (at < d->slabs && d->slab[at].event.ss == d->superslab[i].event.ss)
            at++;
        take_superslab(b, &d->superslab[i], &d->slab[first], at - first);
    }
}

static void take(struct machine *m, const struct dump *d, enum mode mode)
{
    struct base b = {m, d, d->begin - SETTLED_NS, mode};
    struct at_hand saved = save(m);

    m->quiet = mode != JUDGE;
    m->process->settled++;
    take_all(&b);
    if (mode != FILL) {
        look_at(&b, d->end, HAK_EV_statedump_end, &d->last);
        superslabs_only_told(m, b.since);
        m->process->based = b.since;
    }
    superslabs_count(m);
    m->quiet = false;
    restore(m, &saved);
}

void base_begin(struct machine *m, const struct dump *d)
{
    if (!m->process->complete && d->process.superslab_bytes > footprint_superslabs(m))
        footprint_correct(m, d->process.superslab_bytes);
}

void base_settle(struct machine *m, const struct dump *d)
{
    take(m, d, begins_here(m->process, d) ? TAKE : JUDGE);
}

void base_fill(struct machine *m, const struct dump *d)
{
    take(m, d, FILL);
}
