#include "flows.h"

#include <stdlib.h>

#include "memory.h"

/* Of one process. Where thousands of threads come and go, the pairs met later are counted as those
 * of thread 0, so that memory stays bounded. */
#define PAIRS_MAX 4096

struct flow {
    uint32_t tid, of;
    int64_t pushes, pushed;
};

static struct flow *flow_of(struct process *p, uint32_t tid, uint32_t of)
{
    uint64_t key = (uint64_t)tid << 32 | of;
    struct flow *f = map_get(&p->flows, key);

    if (!f && p->flows.used >= PAIRS_MAX && key)
        return flow_of(p, 0, 0);
    if (!f) {
        f = memory_new(sizeof(*f));
        f->tid = tid;
        f->of = of;
        map_put(&p->flows, key, f);
    }
    return f;
}

void flows_push(struct machine *m, uint32_t of, uint32_t blocks)
{
    struct flow *f = flow_of(m->process, m->tid, of);

    f->pushes++;
    f->pushed += blocks;
}

struct closing {
    struct machine *m;
    struct process *p;
};

static void put(void *value, void *arg)
{
    const struct closing *c = arg;
    struct flow *f = value;

    PUT(c->m->store, flow, (NULL), c->p->number, f->tid, f->of, f->pushes, f->pushed);
    free(f);
}

void flows_close(struct machine *m, struct process *p)
{
    map_each(&p->flows, put, &(struct closing){m, p});
    map_free(&p->flows);
}
