#include "footprint.h"

static bool is_used(const struct layer_memory *l)
{
    return l->maps || l->unmaps || l->purges || l->remaps || l->peak;
}

void footprint_init(struct footprint *f)
{
    f->tick = UNKNOWN;
    for (unsigned i = 0; i < HAK_COUNT_ace_layer; i++)
        f->layer[i].peak_at = UNKNOWN;
}

/* The row of the latest tick with a change. */
static void put_tick(struct machine *m, const struct process *p)
{
    const struct footprint *f = &p->footprint;

    PUT(m->store, memory, (NULL), p->number, f->tick, (int64_t)f->layer[HAK_TINY].mapped,
        (int64_t)f->returned, (int64_t)f->layer[HAK_MID].mapped,
        (int64_t)f->layer[HAK_LARGE].mapped, (int64_t)f->layer[HAK_HUGE].mapped);
}

/* Before something changes. */
static void begin_change(struct machine *m)
{
    struct footprint *f = &m->process->footprint;

    if (!m->counting || f->tick == m->tick)
        return;
    if (f->tick != UNKNOWN)
        put_tick(m, m->process);
    f->tick = m->tick;
}

static void set_mapped(struct machine *m, enum hak_ace_layer layer, uint64_t mapped)
{
    struct layer_memory *l = &m->process->footprint.layer[layer];

    begin_change(m);
    l->mapped = mapped;
    if (m->counting && mapped > l->peak) {
        l->peak = mapped;
        l->peak_at = m->now;
    }
}

void footprint_map(struct machine *m, enum hak_ace_layer layer, uint64_t bytes, uint64_t total,
                   uint64_t ns)
{
    struct layer_memory *l = &m->process->footprint.layer[layer];

    set_mapped(m, layer, total);
    if (!m->counting)
        return;
    l->maps++;
    l->map_bytes += bytes;
    l->ns += ns;
}

void footprint_unmap(struct machine *m, enum hak_ace_layer layer, uint64_t bytes, uint64_t total,
                     uint64_t ns)
{
    struct layer_memory *l = &m->process->footprint.layer[layer];

    set_mapped(m, layer, total);
    if (!m->counting)
        return;
    l->unmaps++;
    l->unmap_bytes += bytes;
    l->ns += ns;
}

void footprint_correct(struct machine *m, uint64_t total)
{
    set_mapped(m, HAK_TINY, total);
}

void footprint_told(struct machine *m, enum hak_ace_layer layer, uint64_t mapped)
{
    if ((unsigned)layer < HAK_COUNT_ace_layer && mapped &&
        !is_used(&m->process->footprint.layer[layer]))
        set_mapped(m, layer, mapped);
}

void footprint_remap(struct machine *m, const struct hak_ev_ace_remap *e)
{
    struct layer_memory *l = &m->process->footprint.layer[HAK_HUGE];

    set_mapped(m, HAK_HUGE, e->mapped);
    if (!m->counting)
        return;
    l->remaps++;
    l->moves += e->from != e->base;
    l->ns += e->ns;
}

void footprint_purge(struct machine *m, enum hak_ace_layer layer, uint64_t bytes, uint64_t ns)
{
    struct layer_memory *l = &m->process->footprint.layer[layer];

    if (!m->counting)
        return;
    l->purges++;
    l->purge_bytes += bytes;
    l->ns += ns;
}

void footprint_returned(struct machine *m, struct slab *s, uint32_t bytes)
{
    begin_change(m);
    s->returned = bytes;
    m->process->footprint.returned += bytes;
}

void footprint_needed(struct machine *m, struct slab *s)
{
    if (!s->returned)
        return;
    begin_change(m);
    m->process->footprint.returned -= s->returned;
    s->returned = 0;
}

/* ---- the window's begin, the process's end ---- */

void footprint_window(struct machine *m, struct process *p)
{
    for (unsigned i = 0; i < HAK_COUNT_ace_layer; i++) {
        struct layer_memory *l = &p->footprint.layer[i];

        l->peak = l->mapped;
        l->peak_at = l->mapped ? m->now : UNKNOWN;
    }
}

void footprint_close(struct machine *m, struct process *p)
{
    if (p->footprint.tick != UNKNOWN)
        put_tick(m, p);
    for (unsigned i = 0; i < HAK_COUNT_ace_layer; i++) {
        const struct layer_memory *l = &p->footprint.layer[i];

        if (is_used(l))
            PUT(m->store, layer, (NULL), p->number, i, (int64_t)l->mapped, (int64_t)l->peak,
                l->peak_at, (int64_t)l->maps, (int64_t)l->map_bytes, (int64_t)l->unmaps,
                (int64_t)l->unmap_bytes, (int64_t)l->purges, (int64_t)l->purge_bytes,
                (int64_t)l->remaps, (int64_t)l->moves, (int64_t)l->ns);
    }
}
