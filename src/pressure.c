#include "pressure.h"

#include "config.h"
#include "dump.h"
#include "limits.h"

#define SECOND_LEVEL 95u
#define LAST_LEVEL 99u
#define REARM 2u
/* Looks while there is a limit, and for one while there is none. */
#define LOOK_NS 300000000u
#define SEEK_NS 5000000000u

static struct {
    struct pressure_memory cgroup, as;
    uint64_t next;
} pressure;

static uint32_t highest_passed(uint32_t percent, uint32_t first)
{
    if (percent >= LAST_LEVEL)
        return LAST_LEVEL;
    if (percent >= SECOND_LEVEL && first < SECOND_LEVEL)
        return SECOND_LEVEL;
    return percent >= first ? first : 0;
}

uint32_t pressure_level(struct pressure_memory *m, uint64_t used, uint64_t limit, uint32_t first)
{
    uint32_t percent = (uint32_t)((unsigned __int128)used * 100 / limit);
    uint32_t passed = highest_passed(percent, first);

    if (passed > m->level) {
        m->level = passed;
        return passed;
    }
    if (percent + REARM < m->level)
        m->level = passed;
    return 0;
}

static void look_at(struct pressure_memory *m, enum hak_pressure_what what, uint64_t used,
                    uint64_t limit, const struct limits *l)
{
    uint32_t level;

    if (!limit)
        return;
    level = pressure_level(m, used, limit, config.pressure);
    if (!level)
        return;
    /* First, so that a snapshot which the event triggers has all of it. */
    dump_state(HAK_DUMP_PRESSURE);
    trace_pressure(what, level, used, limit, l->rss, l->anon);
}

void pressure_tick(uint64_t now_ns)
{
    struct limits l;

    if (!config.pressure || now_ns < pressure.next)
        return;
    limits_read(&l);
    look_at(&pressure.cgroup, HAK_PRESSURE_CGROUP, l.cgroup.used, l.cgroup.limit, &l);
    look_at(&pressure.as, HAK_PRESSURE_AS, l.vm, l.limit_as, &l);
    pressure.next = now_ns + (l.cgroup.limit || l.limit_as ? LOOK_NS : SEEK_NS);
}
