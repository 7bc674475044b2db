#include "dumps.h"

#include <stdlib.h>

#include "base.h"
#include "footprint.h"
#include "memory.h"
#include "totals.h"

/* Of one process; each may be NULL. */
struct dumps {
    struct dump *now;     /* being told */
    struct dump *latest;  /* of those that were complete */
    struct dump *waiting; /* for process.dump_due; may be the latest */
};

/* ---- what is kept ---- */

/* Room for one more of rows of this size. */
static void *more(void *rows, unsigned count, size_t size)
{
    bool full = count == 0 || (count >= 64 && (count & (count - 1)) == 0);

    return full ? memory_grow(rows, (count < 64 ? 64 : 2 * (size_t)count) * size) : rows;
}

static void dump_free(struct dump *d)
{
    if (!d)
        return;
    free(d->superslab);
    free(d->slab);
    free(d->thread);
    free(d->class);
    free(d);
}

static void drop_waiting(struct dumps *of)
{
    if (of->waiting != of->latest)
        dump_free(of->waiting);
    of->waiting = NULL;
}

static void set_latest(struct dumps *of, struct dump *d)
{
    if (of->latest != of->waiting)
        dump_free(of->latest);
    of->latest = d;
}

/* ---- rows ---- */

/* What a dump says of what it has looked at only if `looked`. */
static int64_t if_looked(bool looked, uint64_t number)
{
    return looked ? (int64_t)number : NO_VALUE;
}

/* Does a dump say how much of hakmem's memory the system has pages for? */
static bool tells_resident(const struct dump *d)
{
    return d->process.seq == d->about.seq && d->process.looked;
}

/* All that is told of single slabs and threads. */
static void write_all(struct machine *m, const struct process *p, struct dump *d)
{
    uint32_t at = 0;

    if (d->written)
        return;
    d->written = true;
    for (unsigned i = 0; i < d->superslabs; i++) {
        const struct hak_ev_statedump_superslab *ss = &d->superslab[i].event;

        PUT(m->store, dump_superslab, (NULL), p->number, ss->seq, (int64_t)ss->ss, ss->lg,
            ss->slabs, ss->kind, ss->unused, ss->purged);
        for (; at < d->slabs && d->slab[at].event.ss == ss->ss; at++) {
            const struct hak_ev_statedump_slab *s = &d->slab[at].event;

            PUT(m->store, dump_slab, (NULL), p->number, s->seq, (int64_t)s->ss, s->slab, s->gen,
                s->cls, s->state, s->owner, s->used, s->carved, s->capacity, s->remote,
                ss->purged >> s->slab % SS_SLABS_MAX & 1);
        }
    }
    for (unsigned i = 0; i < d->threads; i++) {
        const struct hak_ev_statedump_thread *t = &d->thread[i];

        PUT(m->store, dump_thread, (NULL), p->number, t->seq, t->owner, t->tid, (int64_t)t->parked,
            (int64_t)t->parked_bytes, (int64_t)t->cached, (int64_t)t->cpu_ns);
    }
}

static void write_class(struct machine *m, const struct process *p, const struct dump *d,
                        const struct hak_ev_statedump_class *c)
{
    PUT(m->store, dump_class, (NULL), p->number, c->seq, c->cls, c->stride, c->active, c->peak,
        c->cap, c->frozen, c->listed, c->marked, c->unmarked, c->ss_lg, (int64_t)c->shared_fail,
        (int64_t)c->legacy_blocks, c->slabs, (int64_t)c->used, (int64_t)c->carved,
        (int64_t)c->capacity, (int64_t)c->parked, (int64_t)c->samples, (int64_t)c->sampled,
        (int64_t)c->remote, c->sparse, (int64_t)c->sparse_free, (int64_t)c->kept,
        if_looked(tells_resident(d), c->resident));
}

static void write_dump(struct machine *m, const struct process *p, const struct dump *d)
{
    const struct hak_ev_statedump_process *e = &d->process;
    bool told = e->seq == d->about.seq, details = told && d->about.details;
    bool ended = d->last.seq == d->about.seq, resident = tells_resident(d);

    for (unsigned cls = 0; cls < CLASSES; cls++)
        if (d->classes >> cls & 1)
            write_class(m, p, d, &d->class[cls]);
    PUT(m->store, dump, (NULL), p->number, d->about.seq, d->begin, d->end, d->about.why,
        d->about.os_pid, if_looked(told, e->rss), if_looked(told, e->vm),
        if_looked(told, e->limit_as), if_looked(told, e->cgroup_used),
        if_looked(told, e->cgroup_limit), if_looked(details, e->maps),
        if_looked(details, e->max_maps), if_looked(details, e->overcommit),
        if_looked(details, e->threads), if_looked(told, e->superslab_bytes),
        if_looked(told, e->purged_bytes), if_looked(details, e->committed),
        if_looked(details, e->commit_limit), if_looked(details, e->memory),
        if_looked(told, e->hdr_resets), if_looked(told, e->double_frees),
        if_looked(told, e->invalid_frees), if_looked(told, e->map_fails), if_looked(told, e->ooms),
        if_looked(d->about.details && ended, d->last.superslabs),
        if_looked(d->about.details && ended, d->last.slabs), if_looked(ended, d->last.ns),
        d->complete, d->about.transitions, d->about.details, if_looked(told, e->anon),
        if_looked(told, e->parked_bytes), if_looked(told, e->cached), if_looked(told, e->exact),
        if_looked(resident, e->empty_resident), if_looked(resident, e->unbound_resident),
        if_looked(resident, e->headers), if_looked(resident, e->tables), if_looked(told, e->shmem));
}

static void put_limits(struct machine *m, const struct hak_ev_statedump_limits *e)
{
    PUT(m->store, dump_limits, (e->cgroup), m->process->number, e->seq, (int64_t)e->data,
        (int64_t)e->limit_data, (int64_t)e->locked, (int64_t)e->limit_memlock,
        (int64_t)e->limit_stack, e->cgroup_version, (int64_t)e->cgroup_kills, (int64_t)e->hard_as,
        (int64_t)e->hard_data, (int64_t)e->hard_memlock, (int64_t)e->tracer);
}

/* ---- one dump ---- */

static bool is_trouble(uint32_t why)
{
    return why == HAK_DUMP_OOM || why == HAK_DUMP_PRESSURE || why == HAK_DUMP_MAP_FAIL;
}

/* No more of it will come. */
static void give_up(struct machine *m, const struct process *p, struct dumps *of)
{
    if (of->now)
        write_dump(m, p, of->now);
    dump_free(of->now);
    of->now = NULL;
}

static void begin(struct machine *m, struct dumps *of, const struct hak_ev_statedump_begin *e)
{
    struct dump *d;

    give_up(m, m->process, of);
    d = of->now = memory_new(sizeof(*d));
    d->class = memory_new(CLASSES * sizeof(*d->class));
    d->begin = m->now;
    d->end = UNKNOWN;
    d->about = *e;
}

/* Is all there that it says it has told? The threads come first, then the process itself. */
static bool whole(const struct dump *d)
{
    return d->last.whole && d->process.seq == d->about.seq && d->classes == (1u << CLASSES) - 1 &&
           d->pools == HAK_HUGE - HAK_MID + 1 && d->last.slabs == d->slabs &&
           d->last.superslabs == d->superslabs && d->last.threads == d->threads;
}

/* Is d to be held against the events, if they are there? A session that begins once more wants to
 * go on from the later of its dumps. */
static bool is_for_base(const struct dump *d, const struct dump *waiting)
{
    if (!d->about.transitions)
        return false;
    return !waiting || (waiting->about.why == HAK_DUMP_SESSION && d->about.why == HAK_DUMP_SESSION);
}

/* Sums are a row each and no base; and what a process ends with is not what it was like. */
static void complete(struct machine *m, struct dumps *of, struct dump *d)
{
    if (!d->about.details) {
        dump_free(d);
        return;
    }
    if (of->latest && d->about.why == HAK_DUMP_EXIT)
        write_all(m, m->process, of->latest);
    if (!of->latest || is_trouble(d->about.why))
        write_all(m, m->process, d);
    if (is_for_base(d, of->waiting)) {
        drop_waiting(of);
        of->waiting = d;
        m->process->dump_due = base_due(m->process, d);
        base_begin(m, d);
    }
    set_latest(of, d);
}

static void end(struct machine *m, struct dumps *of, const struct hak_ev_statedump_end *e)
{
    struct dump *d = of->now;

    d->last = *e;
    d->end = m->now;
    d->complete = whole(d);
    if (!d->complete) {
        give_up(m, m->process, of);
        return;
    }
    of->now = NULL;
    write_dump(m, m->process, d);
    complete(m, of, d);
}

static void superslab(struct machine *m, struct dump *d, const struct hak_ev_statedump_superslab *e)
{
    d->superslab = more(d->superslab, d->superslabs, sizeof(*d->superslab));
    d->superslab[d->superslabs++] = (struct told_superslab){m->now, *e};
}

static void slab(struct machine *m, struct dump *d, const struct hak_ev_statedump_slab *e)
{
    d->slab = more(d->slab, d->slabs, sizeof(*d->slab));
    d->slab[d->slabs++] = (struct told_slab){m->now, *e};
}

static void thread(struct dump *d, const struct hak_ev_statedump_thread *e)
{
    d->thread = more(d->thread, d->threads, sizeof(*d->thread));
    d->thread[d->threads++] = *e;
}

static void class(struct machine *m, struct dump *d, const struct hak_ev_statedump_class *e)
{
    if (e->cls >= CLASSES)
        return;
    d->class[e->cls] = *e;
    d->classes |= 1u << e->cls;
    if (e->active || e->cap)
        totals_cap(m, e->cls, e->cap);
}

static void pool(struct machine *m, struct dump *d, const struct hak_ev_statedump_pool *e)
{
    d->pools++;
    footprint_told(m, (enum hak_ace_layer)e->layer, e->mapped);
    PUT(m->store, dump_pool, (NULL), m->process->number, e->seq, e->layer, (int64_t)e->used,
        (int64_t)e->peak, (int64_t)e->limit, (int64_t)e->mapped, (int64_t)e->blocks,
        (int64_t)e->threshold, (int64_t)e->exhaustion, (int64_t)e->map_fail, (int64_t)e->cached,
        (int64_t)e->idle, if_looked(tells_resident(d), e->resident));
}

/* The dump at hand, if that is whose event this is: one whose begin was lost has none. */
static struct dump *dump_of(const struct dumps *of, uint32_t seq)
{
    return of->now && of->now->about.seq == seq ? of->now : NULL;
}

#define ADD(name, call)                                 \
    case HAK_EV_statedump_##name:                       \
        if ((d = dump_of(of, u->statedump_##name.seq))) \
            call;                                       \
        break

void dumps_event(struct machine *m)
{
    const union any_event *u = m->payload;
    struct dumps *of = m->process->dumps;
    struct dump *d;

    if (!of)
        of = m->process->dumps = memory_new(sizeof(*of));
    switch (m->event) {
    case HAK_EV_statedump_begin:
        begin(m, of, &u->statedump_begin);
        break;
        ADD(process, d->process = u->statedump_process);
        ADD(limits, put_limits(m, &u->statedump_limits));
        ADD(thread, thread(d, &u->statedump_thread));
        ADD(class, class(m, d, &u->statedump_class));
        ADD(pool, pool(m, d, &u->statedump_pool));
        ADD(superslab, superslab(m, d, &u->statedump_superslab));
        ADD(slab, slab(m, d, &u->statedump_slab));
        ADD(end, end(m, of, &u->statedump_end));
    default: break;
    }
}

void dumps_due(struct machine *m)
{
    struct dumps *of = m->process->dumps;

    m->process->dump_due = INT64_MAX;
    base_settle(m, of->waiting);
    drop_waiting(of);
}

void dumps_pressure(struct machine *m, const struct hak_ev_pressure *e)
{
    if (m->counting)
        PUT(m->store, pressure, (NULL), m->process->number, m->now, e->what, e->percent,
            (int64_t)e->used, (int64_t)e->limit, (int64_t)e->rss, (int64_t)e->anon);
}

/* ---- the end ---- */

/* What could not be held against later events still says what there was. A process that was
 * killed may have told less than it did, however long that is ago. */
static void take_rest(struct machine *m, struct process *p, const struct dumps *of)
{
    struct process *at_hand = m->process;

    m->process = p;
    if (of->waiting)
        base_fill(m, of->waiting);
    if (of->latest && of->latest != of->waiting && of->latest->about.transitions)
        base_fill(m, of->latest);
    m->process = at_hand;
}

void dumps_close(struct machine *m, struct process *p)
{
    struct dumps *of = p->dumps;

    if (!of)
        return;
    give_up(m, p, of);
    take_rest(m, p, of);
    if (of->latest)
        write_all(m, p, of->latest);
    drop_waiting(of);
    dump_free(of->latest);
    free(of);
}
