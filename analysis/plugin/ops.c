#include "ops.h"

#include <stdlib.h>

#include "memory.h"

/* Events name ACE's layers and the system's malloc by numbers above the classes'. */
#define KINDS 256

struct op_totals {
    struct {
        int64_t allocs, requested, frees;
    } of[KINDS];
};

static struct op_totals *totals(struct machine *m)
{
    if (!m->process->ops)
        m->process->ops = memory_new(sizeof(struct op_totals));
    return m->process->ops;
}

void ops_alloc(struct machine *m, const struct hak_ev_alloc *e)
{
    struct op_totals *t = totals(m);

    if (!m->counting || e->cls >= KINDS)
        return;
    t->of[e->cls].allocs++;
    t->of[e->cls].requested += (int64_t)e->size;
}

void ops_free(struct machine *m, const struct hak_ev_free *e)
{
    if (m->counting && e->cls < KINDS)
        totals(m)->of[e->cls].frees++;
}

void ops_close(struct machine *m, struct process *p)
{
    for (unsigned cls = 0; p->ops && cls < KINDS; cls++)
        if (p->ops->of[cls].allocs || p->ops->of[cls].frees)
            PUT(m->store, op_total, (NULL), p->number, cls, p->ops->of[cls].allocs,
                p->ops->of[cls].requested, p->ops->of[cls].frees);
    free(p->ops);
    p->ops = NULL;
}
