#include "ops.h"

#include <stdlib.h>

#include "memory.h"

/* Events name ACE's layers and the system's malloc by numbers above the classes'. */
#define LAYERS_FROM 252u
#define KINDS (CLASSES + 256u - LAYERS_FROM)

/* A live block, in the pointer by which the map knows it: no memory of its own. */
#define SIZE_BITS 42
#define SIZE_MOST ((UINT64_C(1) << SIZE_BITS) - 1)
#define KIND_BITS 8
#define THREADS_MOST ((1u << (64 - SIZE_BITS - KIND_BITS)) - 1)

/* Sizes by steps of 16 bytes as far as classes go, then four to a doubling. */
#define STEP 16u
#define STEPS_TO 2048u
#define STEPPED (STEPS_TO / STEP + 1)
#define PARTS_LG 2
#define BINS (STEPPED + (64 - 11) * (1u << PARTS_LG))

struct op_thread {
    unsigned number;
    uint32_t tid; /* 0: of more threads than are told apart */
    struct {
        int64_t allocs, requested, frees, unseen, live, live_bytes, untold;
    } of[KINDS];
};

struct op_totals {
    struct map threads; /* by tid + 1 */
    struct map live;    /* by address */
    struct op_thread **thread;
    uint32_t count;
    struct {
        int64_t allocs, requested;
    } size[KINDS][BINS];
};

struct block {
    uint64_t size;
    unsigned kind, thread;
};

static void *pack(struct block b)
{
    uint64_t size = b.size < SIZE_MOST ? b.size : SIZE_MOST;

    return (void *)(uintptr_t)(((uint64_t)(b.thread + 1) << KIND_BITS | b.kind) << SIZE_BITS |
                               size);
}

static struct block unpack(void *value)
{
    uint64_t bits = (uintptr_t)value;

    return (struct block){bits & SIZE_MOST, (bits >> SIZE_BITS) & ((1u << KIND_BITS) - 1),
                          (unsigned)(bits >> (SIZE_BITS + KIND_BITS)) - 1};
}

/* The place of a class or layer; KINDS if the number is neither. */
static unsigned kind_of(uint32_t cls)
{
    if (cls < CLASSES)
        return cls;
    return cls >= LAYERS_FROM && cls <= CLASS_NONE ? CLASSES + cls - LAYERS_FROM : KINDS;
}

static int64_t cls_of(unsigned kind)
{
    return kind < CLASSES ? kind : LAYERS_FROM + (kind - CLASSES);
}

static struct op_totals *totals(struct machine *m)
{
    if (!m->process->ops)
        m->process->ops = memory_new(sizeof(struct op_totals));
    return m->process->ops;
}

static struct op_thread *thread_of(struct op_totals *t, uint32_t tid)
{
    struct op_thread *made = map_get(&t->threads, (uint64_t)tid + 1);

    if (made)
        return made;
    if (t->count == THREADS_MOST - 1)
        return t->thread[t->count - 1];
    made = memory_new(sizeof(*made));
    made->tid = t->count == THREADS_MOST - 2 ? 0 : tid;
    made->number = t->count;
    t->thread = memory_grow(t->thread, (t->count + 1) * sizeof(struct op_thread *));
    t->thread[t->count++] = made;
    map_put(&t->threads, (uint64_t)tid + 1, made);
    return made;
}

static unsigned bin_of(uint64_t size)
{
    unsigned lg;

    if (size <= STEPS_TO)
        return (unsigned)((size + STEP - 1) / STEP);
    lg = 63 - (unsigned)__builtin_clzll(size - 1);
    return STEPPED + ((lg - 11) << PARTS_LG) +
           (unsigned)(((size - 1) >> (lg - PARTS_LG)) & ((1u << PARTS_LG) - 1));
}

/* The largest size of a bin. */
static uint64_t high_of(unsigned bin)
{
    unsigned over = bin - STEPPED, lg = 11 + (over >> PARTS_LG);

    if (bin < STEPPED)
        return (uint64_t)bin * STEP;
    return (UINT64_C(1) << lg) +
           (((uint64_t)(over & ((1u << PARTS_LG) - 1)) + 1) << (lg - PARTS_LG));
}

/* The block is not live any more; false if it was not known to be. untold: but by its next. */
static bool end_of(struct op_totals *t, uint64_t address, bool untold)
{
    void *value = map_take(&t->live, address);
    struct block b;

    if (!value)
        return false;
    b = unpack(value);
    t->thread[b.thread]->of[b.kind].live--;
    t->thread[b.thread]->of[b.kind].live_bytes -= (int64_t)b.size;
    t->thread[b.thread]->of[b.kind].untold += untold;
    return true;
}

void ops_alloc(struct machine *m, const struct hak_ev_alloc *e)
{
    struct op_totals *t = totals(m);
    struct block b = {e->size, kind_of(e->cls), 0};
    struct op_thread *thread;

    if (b.kind == KINDS)
        return;
    if (b.size > SIZE_MOST)
        b.size = SIZE_MOST;
    thread = thread_of(t, m->tid);
    b.thread = thread->number;
    (void)end_of(t, e->ptr, true);
    map_put(&t->live, e->ptr, pack(b));
    thread->of[b.kind].live++;
    thread->of[b.kind].live_bytes += (int64_t)b.size;
    if (!m->counting)
        return;
    thread->of[b.kind].allocs++;
    thread->of[b.kind].requested += (int64_t)b.size;
    t->size[b.kind][bin_of(b.size)].allocs++;
    t->size[b.kind][bin_of(b.size)].requested += (int64_t)b.size;
}

void ops_free(struct machine *m, const struct hak_ev_free *e)
{
    struct op_totals *t = totals(m);
    unsigned kind = kind_of(e->cls);
    struct op_thread *thread;
    bool known = end_of(t, e->ptr, false);

    if (!m->counting || kind == KINDS)
        return;
    thread = thread_of(t, m->tid);
    thread->of[kind].frees++;
    thread->of[kind].unseen += !known;
}

static void close_thread(struct machine *m, const struct process *p, const struct op_thread *t)
{
    for (unsigned k = 0; k < KINDS; k++)
        if (t->of[k].allocs || t->of[k].frees || t->of[k].live)
            PUT(m->store, op_total, (NULL), p->number, t->tid, cls_of(k), t->of[k].allocs,
                t->of[k].requested, t->of[k].frees, t->of[k].unseen, t->of[k].live,
                t->of[k].live_bytes, t->of[k].untold);
}

void ops_close(struct machine *m, struct process *p)
{
    struct op_totals *t = p->ops;

    if (!t)
        return;
    for (uint32_t i = 0; i < t->count; i++) {
        close_thread(m, p, t->thread[i]);
        free(t->thread[i]);
    }
    for (unsigned k = 0; k < KINDS; k++)
        for (unsigned b = 0; b < BINS; b++)
            if (t->size[k][b].allocs)
                PUT(m->store, op_size, (NULL), p->number, cls_of(k),
                    b ? (int64_t)high_of(b - 1) + 1 : 0, (int64_t)high_of(b), t->size[k][b].allocs,
                    t->size[k][b].requested);
    map_free(&t->threads);
    map_free(&t->live);
    free(t->thread);
    free(t);
    p->ops = NULL;
}
