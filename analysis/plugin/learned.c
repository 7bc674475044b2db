#include "learned.h"

#include <stdlib.h>
#include <string.h>

#include "totals.h"
#include "verdict.h"

static bool is_learned(uint32_t why)
{
    return why == HAK_CAP_DEMAND || why == HAK_CAP_IDLE;
}

static void check_cap(struct machine *m, struct class_totals *t, const struct hak_ev_cap_change *e)
{
    uint32_t active = totals_active_lately(m, t);

    if (e->why == HAK_CAP_DEMAND ? e->to <= e->from : e->to >= e->from)
        complain(m, ABOUT_PROCESS, "cap_direction", "a cap %s %u",
                 e->why == HAK_CAP_DEMAND ? "above" : "below", e->from);
    else if (e->to && e->to < e->demand)
        complain(m, ABOUT_PROCESS, "cap_below_demand", "to=%u at least, the demand", e->demand);
    else if (e->to && e->to < active)
        complain(m, ABOUT_PROCESS, "cap_below_active", "to=%u at least, the slabs that are ACTIVE",
                 active);
    else if (t->frozen != UNKNOWN && m->now - t->frozen > SETTLED_NS)
        complain(m, ABOUT_PROCESS, "cap_frozen", "no learning: CAP_KNOB or CAP_API has set it");
}

void learned_cap(struct machine *m, const struct hak_ev_cap_change *e)
{
    struct class_totals *t = totals_of(m, e->cls);
    bool again = e->why == HAK_CAP_KNOB && t->frozen != UNKNOWN;

    m->transitions++;
    if (is_learned(e->why))
        check_cap(m, t, e);
    else if (t->frozen == UNKNOWN)
        t->frozen = m->now;
    /* Every announcement of a process repeats its knobs. */
    if (again)
        return;
    t->cap = e->to;
    if (m->counting)
        PUT(m->store, cap_change, (NULL), m->process->number, e->cls, m->now, e->from, e->to,
            e->why, e->demand);
}

/* ---- sizes of SuperSlabs ---- */

static bool is_size(uint32_t lg)
{
    return lg >= SS_LG_MIN && lg <= SS_LG_MAX;
}

void learned_size(struct machine *m, const struct hak_ev_ss_size_change *e)
{
    struct class_totals *t = totals_of(m, e->cls);
    bool grows = e->why == HAK_SIZE_MAP_RATE;

    m->transitions++;
    if (!is_size(e->to) || !is_size(e->from) || (grows ? e->to <= e->from : e->to >= e->from))
        complain(m, ABOUT_PROCESS, "size_direction", "a size from 19 to 21, %s %u",
                 grows ? "above" : "below", e->from);
    if (is_size(e->from))
        t->ss_lg_until[e->from - SS_LG_MIN] = m->now;
    t->ss_lg = is_size(e->to) ? e->to : 0;
    if (m->counting)
        PUT(m->store, ss_size, (NULL), m->process->number, e->cls, m->now, e->from, e->to, e->why,
            e->maps, e->occupancy);
}

void learned_check_map(struct machine *m, const struct hak_ev_superslab_map *e)
{
    const struct class_totals *t = totals_of(m, e->cls);
    uint32_t lg = t->ss_lg ? t->ss_lg : m->process->ss_lg;

    if (lg == 0 || e->lg == lg || e->lg == SS_LG_MIN)
        return;
    /* Told to map when the class still had that size? */
    if (t->ss_lg_until[e->lg - SS_LG_MIN] &&
        m->now - t->ss_lg_until[e->lg - SS_LG_MIN] <= SETTLED_NS)
        return;
    complain(m, ABOUT_PROCESS, "ss_size", "lg=%u, the size of the class, or %u", lg, SS_LG_MIN);
}

void learned_config(struct machine *m, const struct hak_ev_config *e)
{
    if (strcmp(e->key, "HAKMEM_SS_LG") == 0)
        m->process->ss_lg = (uint32_t)strtoul(e->value, NULL, 10);
}
