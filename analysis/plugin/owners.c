#include "owners.h"

#include "memory.h"
#include "totals.h"
#include "verdict.h"

static const uint8_t acquire_order[] = {HAK_STAGE_0_5, HAK_STAGE_1, HAK_STAGE_2,
                                        HAK_ADOPT,     HAK_REBIND,  HAK_STAGE_3};
#define STEPS (sizeof(acquire_order) / sizeof(acquire_order[0]))

static const char *stage_text(unsigned step)
{
    return step < STEPS ? LABEL(stage, acquire_order[step]) : "shared_fail";
}

/* Its place in the order of stages. */
static unsigned step_of(unsigned stage)
{
    unsigned step = 0;

    while (step < STEPS && acquire_order[step] != stage)
        step++;
    return step;
}

static inline void touch(struct machine *m, struct owner *o)
{
    o->seen = m->now;
    o->seen_event = m->event;
}

static inline void touch_acquire(struct machine *m, struct owner *o)
{
    touch(m, o);
    o->acquire_seen = m->now;
}

static struct owner *owner_new(struct machine *m, uint32_t number)
{
    struct owner *o = memory_new(sizeof(*o));

    o->number = number;
    o->seen = o->acquire_seen = o->begin = UNKNOWN;
    map_put(&m->process->owners, number, o);
    return o;
}

static struct owner *find(struct machine *m, uint32_t number)
{
    struct owner *o = map_get(&m->process->owners, number);

    return o ? o : owner_new(m, number);
}

/* An owner that nothing has introduced. */
static void introduce(struct machine *m, struct owner *o)
{
    if (o->number != OWNER_LEGACY && (m->process->complete || o->seen != UNKNOWN))
        complain(m, ABOUT_OWNER(o), "no_thread", "thread_start of owner %u first", o->number);
    o->alive = true;
    o->started = false;
}

static inline struct owner *use(struct machine *m, uint32_t number)
{
    struct owner *o = find(m, number);

    if (!o->alive)
        introduce(m, o);
    return o;
}

struct owner *owners_use(struct machine *m, uint32_t number)
{
    struct owner *o = use(m, number);

    touch(m, o);
    return o;
}

uint32_t owners_tid(const struct machine *m, uint32_t number)
{
    const struct owner *o = number ? map_get(&m->process->owners, number) : NULL;

    return o ? o->tid : 0;
}

/* The owner goes on to something else: what it visits must be given back by now. */
static void check_visits(struct machine *m, struct owner *o)
{
    if (o->visiting)
        complain(m, ABOUT_THREAD(o), "visit_kept",
                 "slab_publish, or slab_empty and slab_release, of what owner %u adopted outside "
                 "an acquire first",
                 o->number);
    o->visiting = 0;
}

/* ---- threads ---- */

static void put_thread(struct machine *m, const struct process *p, const struct owner *o,
                       int64_t end, int64_t published)
{
    PUT(m->store, thread, (NULL), p->number, o->number, o->tid, o->begin, end, published,
        (int64_t)o->acquires, (int64_t)o->refused, batched(m, o->refills), batched(m, o->refilled),
        batched(m, o->drains), batched(m, o->given_own), batched(m, o->given_remote),
        batched(m, o->collects), batched(m, o->collected));
}

void owners_thread_start(struct machine *m, const struct hak_ev_thread_start *e)
{
    struct owner *o = find(m, e->owner);

    if (o->alive) {
        complain(m, ABOUT_OWNER(o), "owner_in_use", "thread_exit of owner %u first", e->owner);
        put_thread(m, m->process, o, UNKNOWN, NO_VALUE);
    }
    *o = (struct owner){.number = e->owner,
                        .tid = e->tid,
                        .alive = true,
                        .started = true,
                        .begin = m->now,
                        .acquire = ACQUIRE_NONE};
    touch_acquire(m, o);
}

void owners_thread_exit(struct machine *m, const struct hak_ev_thread_exit *e)
{
    struct owner *o = use(m, e->owner);

    check_visits(m, o);
    if (o->acquire == ACQUIRE_RUNNING)
        complain(m, ABOUT_ACQUIRE(o), "exit_in_acquire", "%s of the acquire first",
                 stage_text(o->next));
    else if (o->started && o->tid != e->tid)
        complain(m, ABOUT_THREAD(o), "thread", "tid=%u, which thread_start named", o->tid);
    else if (o->started && o->publishes != e->published)
        complain(m, ABOUT_THREAD(o), "published_count",
                 "published=%u, as many as slab_publish said", o->publishes);
    if (!o->tid)
        o->tid = e->tid;
    if (m->counting)
        put_thread(m, m->process, o, m->now, e->published);
    touch(m, o);
    o->alive = false;
    o->acquire = ACQUIRE_NONE;
}

void owners_told(struct machine *m, const struct hak_ev_statedump_thread *e)
{
    struct owner *o = find(m, e->owner);

    if (!o->tid)
        o->tid = e->tid;
}

/* ---- acquires ---- */

void owners_acquire_begin(struct machine *m, const struct hak_ev_acquire_begin *e)
{
    struct owner *o = use(m, e->owner);

    m->acquires++;
    check_visits(m, o);
    if (o->acquire == ACQUIRE_RUNNING)
        complain(m, ABOUT_ACQUIRE(o), "acquire_nested", "%s of the acquire for C%u first",
                 stage_text(o->next), o->cls);
    o->acquire = ACQUIRE_RUNNING;
    o->cls = (uint8_t)e->cls;
    o->next = o->got = 0;
    o->adopted = 0;
    touch_acquire(m, o);
}

/* Is `stage` for `cls` what the owner's acquire is at? */
static void check_step(struct machine *m, struct owner *o, uint32_t cls, unsigned stage,
                       const char *what)
{
    if (o->acquire == ACQUIRE_UNSEEN)
        return;
    if (o->acquire == ACQUIRE_NONE)
        complain(m, ABOUT_ACQUIRE(o), "no_acquire", "acquire_begin before this %s", what);
    else if (o->cls != cls)
        complain(m, ABOUT_ACQUIRE(o), "acquire_class", "cls=%u, for which the acquire began",
                 o->cls);
    else if (o->next >= STEPS || acquire_order[o->next] != stage)
        complain(m, ABOUT_ACQUIRE(o), "stage_order", "%s", stage_text(o->next));
}

/* The owner's acquire for `cls` is at `stage`, wherever it seemed to be. */
static void believe(struct owner *o, uint32_t cls, unsigned stage)
{
    o->acquire = ACQUIRE_RUNNING;
    o->cls = (uint8_t)cls;
    o->next = (uint8_t)step_of(stage);
}

static void check_yield(struct machine *m, struct owner *o, const struct hak_ev_acquire_stage *e)
{
    bool hit = e->outcome == HAK_HIT;

    if (o->acquire == ACQUIRE_UNSEEN)
        return;
    if (e->stage == HAK_ADOPT) {
        if (hit && !o->adopted)
            complain(m, ABOUT_ACQUIRE(o), "hit_without_slab",
                     "slab_adopt before ADOPT reports a HIT");
        return;
    }
    if (hit && (!o->got || o->stage != e->stage))
        complain(m, ABOUT_ACQUIRE(o), "hit_without_slab",
                 "slab_active of %s before it reports a HIT", LABEL(stage, e->stage));
    else if (!hit && o->got)
        complain(m, ABOUT_ACQUIRE(o), "slab_without_hit", "outcome=HIT after its slab_active");
}

void owners_acquire_stage(struct machine *m, const struct hak_ev_acquire_stage *e)
{
    struct owner *o = use(m, e->owner);

    m->acquires++;
    check_step(m, o, e->cls, e->stage, "acquire_stage");
    check_yield(m, o, e);
    if (m->counting && e->outcome == HAK_HIT)
        o->acquires++;
    believe(o, e->cls, e->stage);
    if (e->outcome == HAK_HIT)
        o->acquire = ACQUIRE_NONE;
    else if (o->next < STEPS)
        o->next++;
    o->got = 0;
    o->adopted = 0;
    touch_acquire(m, o);
}

void owners_shared_fail(struct machine *m, const struct hak_ev_shared_fail *e)
{
    struct owner *o = use(m, e->owner);

    m->acquires++;
    m->refused++;
    if (o->acquire == ACQUIRE_NONE)
        complain(m, ABOUT_ACQUIRE(o), "no_acquire", "acquire_begin before this shared_fail");
    else if (o->acquire == ACQUIRE_RUNNING && o->next < STEPS)
        complain(m, ABOUT_ACQUIRE(o), "stage_order", "%s", stage_text(o->next));
    else if (o->acquire == ACQUIRE_RUNNING && o->cls != e->cls)
        complain(m, ABOUT_ACQUIRE(o), "acquire_class", "cls=%u, for which the acquire began",
                 o->cls);
    if (m->counting)
        o->refused++;
    o->acquire = ACQUIRE_NONE;
    touch_acquire(m, o);
}

/* Acquires that no event tells: nothing is known of how far any was at a time, and its thread may
 * be at another by now. */
void owners_shared_fail_sum(struct machine *m, const struct hak_ev_shared_fail_sum *e)
{
    struct owner *o = map_get(&m->process->owners, e->owner);
    bool hit = e->o_0_5 == HAK_HIT || e->o_1 == HAK_HIT || e->o_2 == HAK_HIT ||
               e->o_adopt == HAK_HIT || e->o_rebind == HAK_HIT || e->o_3 == HAK_HIT;

    m->refused += e->count;
    m->refused_in_sums += e->count;
    if (hit)
        complain(m, ABOUT_PROCESS, "refused_with_hit",
                 "no HIT among the answers to who was refused");
    else if ((e->reason == HAK_FAIL_MAP_FAIL) != (e->o_3 == HAK_MAP_FAIL))
        complain(m, ABOUT_PROCESS, "refused_reason", "reason=%s, which STAGE_3 answered",
                 e->o_3 == HAK_MAP_FAIL ? "FAIL_MAP_FAIL" : "a cap's");
    if (m->counting && o)
        o->refused += e->count;
}

void owners_drain(struct machine *m, const struct hak_ev_sll_drain *e)
{
    struct owner *o = owners_use(m, e->owner);
    struct class_totals *t;

    m->flows++;
    if (!m->counting)
        return;
    o->drains++;
    o->given_own += e->own;
    o->given_remote += e->remote;
    t = totals_of(m, e->cls);
    t->drains++;
    t->given_own += e->own;
    t->given_remote += e->remote;
    t->tick.given_own += e->own;
    t->tick.given_remote += e->remote;
}

/* ---- slabs of an acquire ---- */

void owners_got_slab(struct machine *m, const struct hak_ev_slab_active *e)
{
    struct owner *o = use(m, e->owner);

    check_step(m, o, e->cls, e->stage, "slab_active");
    if (o->acquire == ACQUIRE_RUNNING && o->got)
        complain(m, ABOUT_ACQUIRE(o), "two_slabs",
                 "acquire_stage of %s: it has given a slab already", LABEL(stage, o->stage));
    believe(o, e->cls, e->stage);
    o->got = 1;
    o->stage = (uint8_t)e->stage;
    touch_acquire(m, o);
}

bool owners_adopted(struct machine *m, const struct hak_ev_slab_adopt *e)
{
    struct owner *o = use(m, e->owner);
    /* Unless a loss may have swallowed acquire_begin. */
    bool visit = o->acquire == ACQUIRE_NONE && *m->process->loss_until <= o->acquire_seen;

    if (o->acquire == ACQUIRE_RUNNING) {
        check_step(m, o, e->cls, HAK_ADOPT, "slab_adopt");
        believe(o, e->cls, HAK_ADOPT);
        o->adopted++;
        touch_acquire(m, o);
        return false;
    }
    if (visit)
        o->visiting++;
    else
        o->acquire = ACQUIRE_UNSEEN;
    touch(m, o);
    return visit;
}

void owners_visited(struct machine *m, uint32_t number)
{
    struct owner *o = use(m, number);

    if (o->visiting)
        o->visiting--;
}

void owners_published(struct machine *m, uint32_t number, bool after_visit)
{
    struct owner *o = use(m, number);

    o->publishes += !after_visit;
    touch(m, o);
}

struct closing {
    struct machine *machine;
    struct process *process;
};

static void close_owner(void *value, void *arg)
{
    struct closing *c = arg;
    struct owner *o = value;

    if (o->alive && o->number != OWNER_LEGACY)
        put_thread(c->machine, c->process, o, UNKNOWN, NO_VALUE);
    free(o);
}

void owners_close(struct machine *m, struct process *p)
{
    struct closing c = {m, p};

    map_each(&p->owners, close_owner, &c);
    map_free(&p->owners);
}
