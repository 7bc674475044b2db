#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ace.h"
#include "dumps.h"
#include "failures.h"
#include "flows.h"
#include "footprint.h"
#include "learned.h"
#include "memory.h"
#include "ops.h"
#include "owners.h"
#include "slabs.h"
#include "superslabs.h"
#include "totals.h"

void machine_init(struct machine *m, struct store *store, const char *temporary, int64_t begin,
                  int64_t end)
{
    *m = (struct machine){.store = store,
                          .runs = runs_new(temporary),
                          .begin = begin,
                          .end = end,
                          .now = UNKNOWN,
                          .tick = UNKNOWN,
                          .counting = begin == UNKNOWN};
}

/* ---- processes ---- */

static struct process *process_new(struct machine *m, uint64_t pid, const int64_t *loss_until)
{
    struct process *p = memory_new(sizeof(*p));

    p->number = ++m->process_count;
    p->pid = pid;
    p->began = p->ended = p->based = p->born = UNKNOWN;
    p->dump_due = INT64_MAX;
    p->loss_until = loss_until;
    footprint_init(&p->footprint);
    map_put(&m->processes, pid, p);
    return p;
}

struct process *machine_process(struct machine *m, uint64_t pid, const int64_t *loss_until)
{
    struct process *p = map_get(&m->processes, pid);

    return p ? p : process_new(m, pid, loss_until);
}

static void process_close(struct machine *m, struct process *p, enum life_end ended)
{
    dumps_close(m, p);
    superslabs_close(m, p, ended);
    owners_close(m, p);
    ace_close(p);
    ops_close(m, p);
    flows_close(m, p);
    footprint_close(m, p);
    totals_end_tick_of(m, p);
    totals_close(m, p);
    if (p->events)
        PUT(m->store, process, (p->name, p->command, p->version, p->flavour), p->number,
            (int64_t)p->pid, p->began, p->ended, p->started ? (int64_t)p->parent : NO_VALUE,
            p->ppid ? (int64_t)p->ppid : NO_VALUE, p->forked ? (int64_t)p->forked : NO_VALUE,
            p->started ? (int64_t)p->complete : NO_VALUE, (int64_t)p->events);
    free(p);
}

/* Is it what has been here under this pid? In a forked child, the tracer's threads may have done
 * something before it could be announced. */
static bool is_known(const struct process *p, const struct hak_ev_process_start *e, int64_t born)
{
    if (p->began == UNKNOWN)
        return true;
    return p->started ? p->born == born : !e->complete && p->began >= born;
}

static void name_process(struct process *p, const struct hak_ev_process_start *e)
{
    if (e->name[0]) {
        snprintf(p->name, sizeof(p->name), "%s", e->name);
        p->named = true;
    }
    snprintf(p->command, sizeof(p->command), "%s", e->command);
    snprintf(p->version, sizeof(p->version), "%s", e->version);
    snprintf(p->flavour, sizeof(p->flavour), "%s", e->flavour);
}

/* A process says who it is: at its begin, after a fork, or when a session has begun to record. */
static void process_start(struct machine *m, const struct hak_ev_process_start *e)
{
    struct process *p = m->process;
    int64_t born = (int64_t)(e->born + m->clock_zero);

    if (p->started && p->born == born) {
        name_process(p, e); /* it may have got another since */
        return;
    }
    if (!is_known(p, e, born)) {
        m->process = process_new(m, p->pid, p->loss_until);
        process_close(m, p, e->complete || e->parent ? LIFE_PROCESS : LIFE_UNSEEN);
        p = m->process;
    }
    p->started = true;
    p->born = born;
    p->complete = e->complete != 0;
    p->parent = e->parent;
    p->ppid = e->ppid;
    p->forked = e->started;
    name_process(p, e);
}

/* Every announcement of a process repeats them. */
static void config(struct machine *m, const struct hak_ev_config *e)
{
    PUT(m->store, config, (e->key, e->value), m->process->number, e->is_default);
    learned_config(m, e);
}

/* ---- events ---- */

/* Window and tick move on with the time. */
static void advance(struct machine *m, int64_t now)
{
    int64_t tick = now - now % TICK_NS;

    if (tick != m->tick) {
        totals_end_tick(m);
        m->tick = tick;
    }
    m->now = now;
    if (!m->counting && now >= m->begin) {
        m->counting = true;
        totals_window(m);
    }
}

static void dispatch(struct machine *m, const union any_event *e)
{
    switch (m->event) {
    case HAK_EV_sll_refill: slabs_refill(m, &e->sll_refill); break;
    case HAK_EV_sll_drain: owners_drain(m, &e->sll_drain); break;
    case HAK_EV_remote_push: slabs_push(m, &e->remote_push); break;
    case HAK_EV_remote_drain: slabs_collect(m, &e->remote_drain); break;
    case HAK_EV_pool_lock: totals_pool_lock(m, &e->pool_lock); break;
    case HAK_EV_acquire_begin:
        owners_acquire_begin(m, &e->acquire_begin);
        totals_cap(m, e->acquire_begin.cls, e->acquire_begin.cap);
        break;
    case HAK_EV_acquire_stage:
        owners_acquire_stage(m, &e->acquire_stage);
        totals_stage(m, &e->acquire_stage);
        break;
    case HAK_EV_slab_active: slabs_active(m, &e->slab_active); break;
    case HAK_EV_slab_empty: slabs_empty(m, &e->slab_empty); break;
    case HAK_EV_slab_release: slabs_release(m, &e->slab_release); break;
    case HAK_EV_slab_publish: slabs_publish(m, &e->slab_publish); break;
    case HAK_EV_slab_adopt: slabs_adopt(m, &e->slab_adopt); break;
    case HAK_EV_superslab_map: superslabs_map(m, &e->superslab_map); break;
    case HAK_EV_shared_fail:
        owners_shared_fail(m, &e->shared_fail);
        totals_shared_fail(m, &e->shared_fail);
        break;
    case HAK_EV_shared_fail_sum:
        owners_shared_fail_sum(m, &e->shared_fail_sum);
        totals_shared_fail_sum(m, &e->shared_fail_sum);
        break;
    case HAK_EV_legacy_alloc_sum: totals_legacy_sum(m, &e->legacy_alloc_sum); break;
    case HAK_EV_legacy_alloc: totals_legacy(m, &e->legacy_alloc); break;
    case HAK_EV_superslab_purge: superslabs_purge(m, &e->superslab_purge); break;
    case HAK_EV_superslab_unmap: superslabs_unmap(m, &e->superslab_unmap); break;
    case HAK_EV_cap_change: learned_cap(m, &e->cap_change); break;
    case HAK_EV_ss_size_change: learned_size(m, &e->ss_size_change); break;
    case HAK_EV_ace_map: ace_mapped(m, &e->ace_map); break;
    case HAK_EV_ace_purge: ace_purged(m, &e->ace_purge); break;
    case HAK_EV_ace_unmap: ace_unmapped(m, &e->ace_unmap); break;
    case HAK_EV_ace_remap: ace_remapped(m, &e->ace_remap); break;
    case HAK_EV_pressure: dumps_pressure(m, &e->pressure); break;
    case HAK_EV_statedump_periodic:
    case HAK_EV_trouble:
    case HAK_EV_aftermath: break;
    case HAK_EV_statedump_begin:
    case HAK_EV_statedump_process:
    case HAK_EV_statedump_limits:
    case HAK_EV_statedump_thread:
    case HAK_EV_statedump_class:
    case HAK_EV_statedump_pool:
    case HAK_EV_statedump_superslab:
    case HAK_EV_statedump_slab:
    case HAK_EV_statedump_end: dumps_event(m); break;
    case HAK_EV_thread_start: owners_thread_start(m, &e->thread_start); break;
    case HAK_EV_thread_exit: owners_thread_exit(m, &e->thread_exit); break;
    case HAK_EV_process_start: process_start(m, &e->process_start); break;
    case HAK_EV_config: config(m, &e->config); break;
    case HAK_EV_ace_fail:
    case HAK_EV_hdr_reset:
    case HAK_EV_double_free:
    case HAK_EV_invalid_free:
    case HAK_EV_ace_fail_sum:
    case HAK_EV_oom:
    case HAK_EV_oom_sum: failures_put(m); break;
    case HAK_EV_alloc: ops_alloc(m, &e->alloc); break;
    case HAK_EV_free: ops_free(m, &e->free); break;
    case HAK_EVENTS: break;
    }
}

void machine_event(struct machine *m, int64_t now, enum hak_event event,
                   const union any_event *payload, uint32_t tid)
{
    advance(m, now);
    m->event = event;
    m->payload = payload;
    m->tid = tid;
    m->complained = false;
    if (now >= m->process->dump_due)
        dumps_due(m);
    dispatch(m, payload);
    if (m->process->began == UNKNOWN)
        m->process->began = now;
    m->process->ended = now;
    m->process->events++;
    m->events[event] += m->counting;
}

/* ---- the end ---- */

struct ranked {
    struct process *process;
};

static int by_number(const void *a, const void *b)
{
    uint32_t x = ((const struct ranked *)a)->process->number;
    uint32_t y = ((const struct ranked *)b)->process->number;

    return x < y ? -1 : x > y;
}

struct ranking {
    struct ranked *list;
    unsigned count;
};

static void rank(void *value, void *arg)
{
    struct ranking *r = arg;

    r->list[r->count++].process = value;
}

/* In the order of their numbers, so that rows come sorted. */
static void close_all(struct machine *m)
{
    struct ranking r = {memory_new((m->processes.used + 1) * sizeof(*r.list)), 0};

    map_each(&m->processes, rank, &r);
    qsort(r.list, r.count, sizeof(*r.list), by_number);
    for (unsigned i = 0; i < r.count; i++)
        process_close(m, r.list[i].process, LIFE_OPEN);
    free(r.list);
    map_free(&m->processes);
}

static void put_labels(struct machine *m)
{
    for (const struct enumeration *e = enumerations; e->name; e++)
        for (unsigned i = e->first; i < e->first + e->count; i++)
            PUT(m->store, label, (e->name, labels[i].text), labels[i].value);
    for (unsigned i = 0; i < HAK_EVENTS; i++)
        if (m->events[i])
            PUT(m->store, event_total, (event_kinds[i].name, event_kinds[i].tier),
                (int64_t)m->events[i]);
}

void machine_finish(struct machine *m)
{
    close_all(m);
    put_labels(m);
    if (!runs_merge(m->runs, m->store, m->batches))
        store_fail(m->store, "cannot use a temporary file", strerror(errno));
}

void machine_free(struct machine *m)
{
    /* After a failure processes may be left; their rows go nowhere. */
    if (m->processes.slots)
        close_all(m);
    runs_free(m->runs);
    free(m->ticked);
}
