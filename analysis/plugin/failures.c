#include "failures.h"

/* The row; what a kind of failure does not say is NULL. */
struct row {
    int64_t cls, address, ss, slab, gen, size, got, expect, word, count, place, layer, reason,
        class_size, used, limit, err;
};

static const struct row nothing = {
    NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE,
    NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE,
};

static struct row ace_fail(const struct hak_ev_ace_fail *e)
{
    struct row r = nothing;

    r.size = (int64_t)e->size;
    r.layer = e->layer;
    r.reason = e->reason;
    r.class_size = (int64_t)e->class_size;
    r.used = (int64_t)e->used;
    r.limit = (int64_t)e->limit;
    r.err = e->err;
    return r;
}

static struct row hdr_reset(const struct hak_ev_hdr_reset *e)
{
    struct row r = nothing;

    r.cls = e->cls;
    r.address = (int64_t)e->base;
    r.got = (int64_t)e->got;
    r.expect = (int64_t)e->expect;
    r.word = (int64_t)e->word;
    r.count = (int64_t)e->count;
    r.place = e->where;
    return r;
}

static struct row double_free(const struct hak_ev_double_free *e)
{
    struct row r = nothing;

    r.cls = e->cls;
    r.address = (int64_t)e->base;
    r.ss = (int64_t)e->ss;
    r.slab = e->slab;
    r.gen = e->gen;
    return r;
}

static struct row invalid_free(const struct hak_ev_invalid_free *e)
{
    struct row r = nothing;

    r.cls = e->cls;
    r.address = (int64_t)e->ptr;
    r.ss = (int64_t)e->ss;
    r.slab = e->slab;
    r.reason = e->why;
    return r;
}

static struct row oom(const struct hak_ev_oom *e)
{
    struct row r = nothing;

    r.size = (int64_t)e->size;
    r.err = e->err;
    return r;
}

void failures_put(struct machine *m)
{
    struct row r;

    switch (m->event) {
    case HAK_EV_ace_fail: r = ace_fail(&m->payload->ace_fail); break;
    case HAK_EV_hdr_reset: r = hdr_reset(&m->payload->hdr_reset); break;
    case HAK_EV_double_free: r = double_free(&m->payload->double_free); break;
    case HAK_EV_invalid_free: r = invalid_free(&m->payload->invalid_free); break;
    case HAK_EV_oom: r = oom(&m->payload->oom); break;
    default: return;
    }
    if (m->counting)
        PUT(m->store, failure, (event_kinds[m->event].name), m->now, m->process->number, m->tid,
            r.cls, r.address, r.ss, r.slab, r.gen, r.size, r.got, r.expect, r.word, r.count,
            r.place, r.layer, r.reason, r.class_size, r.used, r.limit, r.err);
}
