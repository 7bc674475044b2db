#include "dump.h"

#include "config.h"
#include "demand.h"
#include "legacy.h"
#include "limits.h"
#include "listener.h"
#include "os.h"
#include "pool.h"
#include "reclaim.h"
#include "stats.h"

#if HAK_TRACE

#include <unistd.h>

#define PERIOD_NS 5000000000u
/* A session enables its events some time before it is started, and what is dumped in between is
 * lost, which nobody here can see. So what a session begins with is dumped once more. */
#define AGAIN_NS 250000000u

static struct {
    _Atomic bool at_work;
    uint32_t seq;
    uint64_t next_periodic;
    uint64_t again_at; /* 0: not again */
    bool recorded;
} dump;

#define TELL(name, ...)                                        \
    do {                                                       \
        struct hak_ev_##name event_ = {__VA_ARGS__};           \
        listener_emit(HAK_EV_##name, &event_, sizeof(event_)); \
    } while (0)

struct counts {
    uint32_t superslabs, slabs;
};

static void tell_process(void)
{
    struct limits l;

    limits_read_all(&l);
    TELL(statedump_process, .seq = dump.seq, .rss = l.rss, .vm = l.vm, .limit_as = l.limit_as,
         .cgroup_used = l.cgroup_used, .cgroup_limit = l.cgroup_limit, .maps = l.maps,
         .max_maps = l.max_maps, .overcommit = l.overcommit, .threads = l.threads,
         .superslab_bytes = ss_mapped_bytes(), .purged_bytes = reclaim_purged_bytes());
}

static void tell_class(unsigned cls)
{
    struct hak_class_stats c;

    stats_class(cls, &c);
    TELL(statedump_class, .seq = dump.seq, .cls = cls, .stride = c.stride, .active = c.active,
         .peak = c.peak, .cap = c.cap, .frozen = demand_frozen(cls), .listed = c.listed,
         .marked = c.marked, .unmarked = c.unmarked, .ss_lg = demand_lg(cls),
         .shared_fail = c.shared_fail, .legacy_blocks = c.legacy_blocks);
}

static void tell_layer(enum hak_ace_layer layer)
{
    struct hak_layer_stats l;

    stats_layer(layer, &l);
    TELL(statedump_pool, .seq = dump.seq, .layer = layer, .used = l.used, .peak = l.peak,
         .limit = l.limit, .mapped = l.mapped, .blocks = l.blocks, .threshold = l.threshold,
         .exhaustion = l.exhaustion, .map_fail = l.map_fail);
}

static void tell_slab(const struct slab *s, uint32_t info)
{
    struct owner *o = atomic_load_explicit(&s->owner, memory_order_relaxed);
    unsigned no = slab_no(s), cls = info_cls(info);

    TELL(statedump_slab, .seq = dump.seq, .ss = (uintptr_t)slab_ss(s), .slab = no,
         .gen = slab_gen(s), .cls = cls, .state = info_state(info), .owner = o ? o->id : 0,
         .used = info_state(info) == SLAB_ACTIVE ? slab_used(s) : 0, .carved = info_carved(info),
         .capacity = slab_capacity(cls, no));
}

static void tell_superslab(struct superslab *ss, void *counts)
{
    struct counts *n = counts;

    TELL(statedump_superslab, .seq = dump.seq, .ss = (uintptr_t)ss, .lg = ss->lg,
         .slabs = ss->slabs, .kind = ss->kind,
         .unused = atomic_load_explicit(&ss->unused, memory_order_relaxed), .purged = ss->purged);
    n->superslabs++;
    for (unsigned no = 0; no < ss->slabs; no++) {
        uint32_t info = slab_info(&ss->slab[no]);

        if (info_state(info) == SLAB_UNUSED)
            continue;
        tell_slab(&ss->slab[no], info);
        n->slabs++;
    }
}

static void tell_all(enum hak_dump_why why)
{
    struct counts n = {0, 0};
    uint64_t began = os_now_ns();

    dump.seq++;
    TELL(statedump_begin, .seq = dump.seq, .why = why, .os_pid = (uint32_t)getpid(),
         .classes = (uint32_t)config.classes);
    tell_process();
    for (unsigned c = 0; c < CLASSES; c++)
        tell_class(c);
    for (enum hak_ace_layer layer = HAK_MID; layer <= HAK_HUGE; layer++)
        tell_layer(layer);
    reclaim_each(tell_superslab, &n);
    legacy_each(tell_superslab, &n);
    TELL(statedump_end, .seq = dump.seq, .superslabs = n.superslabs, .slabs = n.slabs,
         .ns = os_now_ns() - began);
}

void dump_state(enum hak_dump_why why)
{
    if (!trace_attached() || !listener_wants(HAK_EV_statedump_begin) || trace_busy() ||
        atomic_exchange(&dump.at_work, true))
        return;
    tell_all(why);
    atomic_store(&dump.at_work, false);
}

void dump_tick(uint64_t now_ns)
{
    bool recorded = listener_wants(HAK_EV_statedump_begin);
    bool begins = recorded && !dump.recorded;
    bool again = recorded && dump.again_at && now_ns >= dump.again_at;

    dump.recorded = recorded;
    if (begins || again) {
        dump.again_at = begins ? now_ns + AGAIN_NS : 0;
        dump_state(HAK_DUMP_SESSION);
    } else if (recorded && listener_wants(HAK_EV_statedump_periodic) &&
               now_ns >= dump.next_periodic) {
        TELL(statedump_periodic, .interval_ms = PERIOD_NS / 1000000u);
        dump_state(HAK_DUMP_PERIODIC);
    } else {
        return;
    }
    dump.next_periodic = now_ns + PERIOD_NS;
}

#endif
