#include "dumps.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

struct sums {
    int64_t slabs, used, carved, capacity;
};

/* Rows of one of the tables dump_slab, dump_superslab, dump_thread that may yet be written. */
struct kept {
    void *rows;
    unsigned count, room;
};

struct dump {
    int64_t begin, end;
    struct hak_ev_statedump_begin about;
    struct hak_ev_statedump_process process;
    struct hak_ev_statedump_class class[CLASSES];
    struct sums sums[CLASSES];
    uint32_t has_process, classes;
    struct kept slabs, superslabs, threads;
    struct hak_ev_statedump_end last;
    bool complete, written; /* written: the kept rows */
};

/* Of one process: the dump at hand, and the latest that was complete. */
struct dumps {
    struct dump now, latest;
    bool open, any;
};

/* ---- what is kept ---- */

static void keep(struct kept *k, const void *row, size_t size)
{
    if (k->count == k->room) {
        k->room = k->room ? 2 * k->room : 64;
        k->rows = memory_grow(k->rows, k->room * size);
    }
    memcpy((char *)k->rows + k->count++ * size, row, size);
}

static void forget(struct dump *d)
{
    free(d->slabs.rows);
    free(d->superslabs.rows);
    free(d->threads.rows);
    memset(d, 0, sizeof(*d));
}

/* ---- rows ---- */

static uint32_t purged_of(const struct dump *d, uint64_t ss)
{
    const struct hak_ev_statedump_superslab *rows = d->superslabs.rows;

    /* A slab follows its SuperSlab. */
    for (unsigned i = d->superslabs.count; i-- > 0;)
        if (rows[i].ss == ss)
            return rows[i].purged;
    return 0;
}

static void write_kept(struct machine *m, const struct process *p, struct dump *d)
{
    const struct hak_ev_statedump_slab *slab = d->slabs.rows;
    const struct hak_ev_statedump_superslab *ss = d->superslabs.rows;
    const struct hak_ev_statedump_thread *thread = d->threads.rows;
    uint32_t purged = 0;
    uint64_t of = 0;

    if (d->written)
        return;
    d->written = true;
    for (unsigned i = 0; i < d->superslabs.count; i++)
        PUT(m->store, dump_superslab, (NULL), p->number, d->about.seq, (int64_t)ss[i].ss, ss[i].lg,
            ss[i].slabs, ss[i].kind, ss[i].unused, ss[i].purged);
    for (unsigned i = 0; i < d->slabs.count; i++) {
        if (slab[i].ss != of) {
            of = slab[i].ss;
            purged = purged_of(d, of);
        }
        PUT(m->store, dump_slab, (NULL), p->number, d->about.seq, (int64_t)slab[i].ss, slab[i].slab,
            slab[i].gen, slab[i].cls, slab[i].state, slab[i].owner, slab[i].used, slab[i].carved,
            slab[i].capacity, slab[i].remote, purged >> slab[i].slab & 1);
    }
    for (unsigned i = 0; i < d->threads.count; i++)
        PUT(m->store, dump_thread, (NULL), p->number, d->about.seq, thread[i].owner, thread[i].tid,
            (int64_t)thread[i].parked, (int64_t)thread[i].parked_bytes, (int64_t)thread[i].cached,
            (int64_t)thread[i].cpu_ns);
}

static void write_class(struct machine *m, const struct process *p, const struct dump *d,
                        unsigned cls)
{
    const struct hak_ev_statedump_class *c = &d->class[cls];
    const struct sums *s = &d->sums[cls];

    PUT(m->store, dump_class, (NULL), p->number, c->seq, cls, c->stride, c->active, c->peak, c->cap,
        c->frozen, c->listed, c->marked, c->unmarked, c->ss_lg, (int64_t)c->shared_fail,
        (int64_t)c->legacy_blocks, s->slabs, s->used, s->carved, s->capacity, (int64_t)c->parked,
        (int64_t)c->samples, (int64_t)c->sampled);
}

static void write_dump(struct machine *m, const struct process *p, const struct dump *d)
{
    const struct hak_ev_statedump_process *e = &d->process;

    for (unsigned cls = 0; cls < CLASSES; cls++)
        if (d->classes >> cls & 1)
            write_class(m, p, d, cls);
    PUT(m->store, dump, (NULL), p->number, d->about.seq, d->begin, d->complete ? d->end : NO_VALUE,
        d->about.why, d->about.os_pid, (int64_t)e->rss, (int64_t)e->vm, (int64_t)e->limit_as,
        (int64_t)e->cgroup_used, (int64_t)e->cgroup_limit, (int64_t)e->maps, (int64_t)e->max_maps,
        e->overcommit, e->threads, (int64_t)e->superslab_bytes, (int64_t)e->purged_bytes,
        (int64_t)e->committed, (int64_t)e->commit_limit, (int64_t)e->memory,
        (int64_t)e->hdr_resets, (int64_t)e->double_frees, (int64_t)e->invalid_frees, (int64_t)e->map_fails, (int64_t)e->ooms,
        d->last.superslabs, d->last.slabs, (int64_t)d->last.ns, d->complete);
}

/* ---- one dump ---- */

static bool is_trouble(uint32_t why)
{
    return why == HAK_DUMP_OOM || why == HAK_DUMP_PRESSURE || why == HAK_DUMP_MAP_FAIL;
}

static void begin(struct machine *m, struct dumps *of, const struct hak_ev_statedump_begin *e)
{
    if (of->open)
        write_dump(m, m->process, &of->now);
    forget(&of->now);
    of->open = true;
    of->now.begin = m->now;
    of->now.about = *e;
}

/* Is all there that it says it has told? */
static bool whole(const struct dump *d)
{
    return d->has_process && d->classes == (1u << CLASSES) - 1 &&
           d->last.slabs == d->slabs.count && d->last.superslabs == d->superslabs.count;
}

static void end(struct machine *m, struct dumps *of, const struct hak_ev_statedump_end *e)
{
    struct dump *d = &of->now;

    d->last = *e;
    d->end = m->now;
    d->complete = whole(d);
    write_dump(m, m->process, d);
    of->open = false;
    if (!d->complete)
        return;
    if (!of->any || is_trouble(d->about.why))
        write_kept(m, m->process, d);
    of->any = true;
    forget(&of->latest);
    of->latest = *d;
    memset(d, 0, sizeof(*d));
}

static void slab(struct dump *d, const struct hak_ev_statedump_slab *e)
{
    keep(&d->slabs, e, sizeof(*e));
    if (e->state != HAK_DUMPED_ACTIVE || e->cls >= CLASSES)
        return;
    d->sums[e->cls].slabs++;
    d->sums[e->cls].used += e->used;
    d->sums[e->cls].carved += e->carved;
    d->sums[e->cls].capacity += e->capacity;
}

static void class(struct dump *d, const struct hak_ev_statedump_class *e)
{
    if (e->cls >= CLASSES)
        return;
    d->class[e->cls] = *e;
    d->classes |= 1u << e->cls;
}

static void process(struct dump *d, const struct hak_ev_statedump_process *e)
{
    d->process = *e;
    d->has_process = true;
}

static void pool(struct machine *m, const struct hak_ev_statedump_pool *e)
{
    PUT(m->store, dump_pool, (NULL), m->process->number, e->seq, e->layer, (int64_t)e->used,
        (int64_t)e->peak, (int64_t)e->limit, (int64_t)e->mapped, (int64_t)e->blocks,
        (int64_t)e->threshold, (int64_t)e->exhaustion, (int64_t)e->map_fail, (int64_t)e->cached,
        (int64_t)e->idle);
}

/* Events whose dump's begin was lost, or is another's, belong to none. */
static bool belongs(const struct dumps *of, uint32_t seq)
{
    return of->open && of->now.about.seq == seq;
}

#define ADD(name, call)                         \
    case HAK_EV_statedump_##name:               \
        if (belongs(of, u->statedump_##name.seq)) \
            call;                               \
        break

void dumps_event(struct machine *m)
{
    const union any_event *u = m->payload;
    struct dumps *of = m->process->dumps;
    struct dump *d;

    if (!of)
        of = m->process->dumps = memory_new(sizeof(*of));
    d = &of->now;
    switch (m->event) {
    case HAK_EV_statedump_begin: begin(m, of, &u->statedump_begin); break;
        ADD(process, process(d, &u->statedump_process));
        ADD(thread, keep(&d->threads, &u->statedump_thread, sizeof(u->statedump_thread)));
        ADD(class, class(d, &u->statedump_class));
        ADD(pool, pool(m, &u->statedump_pool));
        ADD(superslab, keep(&d->superslabs, &u->statedump_superslab, sizeof(u->statedump_superslab)));
        ADD(slab, slab(d, &u->statedump_slab));
        ADD(end, end(m, of, &u->statedump_end));
    default: break;
    }
}

void dumps_pressure(struct machine *m, const struct hak_ev_pressure *e)
{
    PUT(m->store, pressure, (NULL), m->process->number, m->now, e->what, e->percent,
        (int64_t)e->used, (int64_t)e->limit, (int64_t)e->rss);
}

void dumps_close(struct machine *m, struct process *p)
{
    struct dumps *of = p->dumps;

    if (!of)
        return;
    if (of->open)
        write_dump(m, p, &of->now);
    if (of->any)
        write_kept(m, p, &of->latest);
    forget(&of->now);
    forget(&of->latest);
    free(of);
}
