#include "failures.h"

/* The row; what a kind of failure does not say is NULL. */
struct row {
    int64_t cls, address, ss, slab, gen, size, got, expect, word, count, place, layer, reason,
        class_size, used, limit, err, times, told, first, smallest, class_of, bytes;
};

static const struct row nothing = {
    NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE,
    NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE,
    NO_VALUE, 1,        1,        NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE,
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
    r.smallest = r.class_of = r.size;
    r.bytes = r.size > r.class_size ? r.size : r.class_size;
    return r;
}

static struct row ace_fail_sum(const struct machine *m, const struct hak_ev_ace_fail_sum *e)
{
    struct row r = nothing;

    r.size = (int64_t)e->largest;
    r.layer = e->layer;
    r.reason = e->reason;
    r.class_size = (int64_t)e->class_size;
    r.used = (int64_t)e->used;
    r.limit = (int64_t)e->limit;
    r.err = e->err;
    r.times = (int64_t)e->count;
    r.told = 0;
    r.first = machine_ago(m, e->first_ago);
    r.smallest = (int64_t)e->smallest;
    r.class_of = (int64_t)e->class_of;
    r.bytes = (int64_t)e->bytes;
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

    r.size = r.smallest = (int64_t)e->size;
    r.err = e->err;
    return r;
}

static struct row oom_sum(const struct machine *m, const struct hak_ev_oom_sum *e)
{
    struct row r = nothing;

    r.size = (int64_t)e->largest;
    r.err = e->err;
    r.times = (int64_t)e->count;
    r.told = 0;
    r.first = machine_ago(m, e->first_ago);
    r.smallest = (int64_t)e->smallest;
    return r;
}

/* Sums are in the table under the name of what they are sums of. */
static enum hak_event kind_of(enum hak_event event)
{
    switch (event) {
    case HAK_EV_ace_fail_sum: return HAK_EV_ace_fail;
    case HAK_EV_oom_sum: return HAK_EV_oom;
    default: return event;
    }
}

static void put(struct machine *m, const struct row *r, int64_t last)
{
    PUT(m->store, failure, (event_kinds[kind_of(m->event)].name), last, m->process->number, m->tid,
        r->cls, r->address, r->ss, r->slab, r->gen, r->size, r->got, r->expect, r->word, r->count,
        r->place, r->layer, r->reason, r->class_size, r->used, r->limit, r->err, r->times, r->told,
        r->first, r->smallest, r->class_of, r->bytes);
}

void failures_put(struct machine *m)
{
    int64_t last = m->now;
    struct row r;

    switch (m->event) {
    case HAK_EV_ace_fail: r = ace_fail(&m->payload->ace_fail); break;
    case HAK_EV_ace_fail_sum:
        r = ace_fail_sum(m, &m->payload->ace_fail_sum);
        last = machine_ago(m, m->payload->ace_fail_sum.last_ago);
        break;
    case HAK_EV_hdr_reset: r = hdr_reset(&m->payload->hdr_reset); break;
    case HAK_EV_double_free: r = double_free(&m->payload->double_free); break;
    case HAK_EV_invalid_free: r = invalid_free(&m->payload->invalid_free); break;
    case HAK_EV_oom: r = oom(&m->payload->oom); break;
    case HAK_EV_oom_sum:
        r = oom_sum(m, &m->payload->oom_sum);
        last = machine_ago(m, m->payload->oom_sum.last_ago);
        break;
    default: return;
    }
    if (r.first == NO_VALUE)
        r.first = last;
    if (m->counting && r.times)
        put(m, &r, last);
}
