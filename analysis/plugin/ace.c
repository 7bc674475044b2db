#include "ace.h"

#include <inttypes.h>

#include "footprint.h"
#include "memory.h"
#include "verdict.h"

struct region {
    uint64_t size;
    enum hak_ace_layer layer;
    bool live;
    /* Huge blocks that were here and have moved on, which is yet to be told. */
    unsigned moving;
};

static bool layer_fine(struct machine *m, unsigned layer)
{
    if (layer == HAK_MID || layer == HAK_LARGE || layer == HAK_HUGE)
        return true;
    complain(m, ABOUT_PROCESS, "layer", "a layer of ACE's: MID, LARGE or HUGE");
    return false;
}

static struct region *region_at(struct machine *m, uint64_t base)
{
    return map_get(&m->process->regions, base);
}

/* Something is mapped at base now. */
static void arrive(struct machine *m, uint64_t base, uint64_t size, enum hak_ace_layer layer)
{
    struct region *r = region_at(m, base);

    if (!r) {
        r = memory_new(sizeof(*r));
        map_put(&m->process->regions, base, r);
    }
    if (r->live && r->layer == HAK_HUGE)
        r->moving++;
    else if (r->live)
        complain(m, ABOUT_PROCESS, "region_mapped_twice", "ace_unmap of 0x%" PRIx64 " first", base);
    r->live = true;
    r->size = size;
    r->layer = layer;
}

/* What was mapped at base is gone from there; moved: by mremap. */
static void leave(struct machine *m, uint64_t base, uint64_t size, enum hak_ace_layer layer,
                  bool moved)
{
    struct region *r = region_at(m, base);

    if (moved && r && r->moving) {
        r->moving--;
    } else if (!r || !r->live) {
        if (m->process->complete)
            complain(m, ABOUT_PROCESS, "region_not_mapped", "ace_map of 0x%" PRIx64 " first", base);
    } else {
        if (r->layer != layer || r->size != size)
            complain(m, ABOUT_PROCESS, "region_size", "size=%" PRIu64 " layer=%s as it was mapped",
                     r->size, LABEL(ace_layer, r->layer));
        r->live = false;
    }
    if (r && !r->live && !r->moving)
        free(map_take(&m->process->regions, base));
}

void ace_mapped(struct machine *m, const struct hak_ev_ace_map *e)
{
    m->transitions++;
    if (!layer_fine(m, e->layer))
        return;
    arrive(m, e->base, e->size, (enum hak_ace_layer)e->layer);
    footprint_map(m, (enum hak_ace_layer)e->layer, e->size, e->mapped, e->ns);
}

void ace_purged(struct machine *m, const struct hak_ev_ace_purge *e)
{
    m->transitions++;
    if (layer_fine(m, e->layer))
        footprint_purge(m, (enum hak_ace_layer)e->layer, e->size, e->ns);
}

void ace_unmapped(struct machine *m, const struct hak_ev_ace_unmap *e)
{
    m->transitions++;
    if (!layer_fine(m, e->layer))
        return;
    leave(m, e->base, e->size, (enum hak_ace_layer)e->layer, false);
    footprint_unmap(m, (enum hak_ace_layer)e->layer, e->size, e->mapped, e->ns);
}

void ace_remapped(struct machine *m, const struct hak_ev_ace_remap *e)
{
    m->transitions++;
    leave(m, e->from, e->old_size, HAK_HUGE, e->from != e->base);
    arrive(m, e->base, e->size, HAK_HUGE);
    footprint_remap(m, e);
}

static void close_region(void *value, void *unused)
{
    (void)unused;
    free(value);
}

void ace_close(struct process *p)
{
    map_each(&p->regions, close_region, NULL);
    map_free(&p->regions);
}
