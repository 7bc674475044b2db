#include "dump.h"

#include "config.h"
#include "demand.h"
#include "legacy.h"
#include "limits.h"
#include "listener.h"
#include "os.h"
#include "pagemap.h"
#include "pool.h"
#include "reclaim.h"
#include "stats.h"
#include "thread.h"

#if HAK_TRACE

#define PERIOD_NS 5000000000u
/* What dumps may add to a recording, in bytes a second: those of a large process come rarer. */
#define BYTES_A_SECOND 8192u
/* Of an event in a recording, with its header and context; rather too many. */
#define EVENT_BYTES 96u
/* A process that has mapped half as much again, and this much more, is told of before it is over:
 * its peak may be a short one. */
#define GROWN_LEAST ((uint64_t)16 << 20)
#define GROWN_APART_NS 1000000000u
/* A session enables its events some time before it is started, and what is dumped in between is
 * lost, which nobody here can see. So what a session begins with is dumped once more. */
#define AGAIN_NS 250000000u
/* A dump of thousands of mappings or slabs takes some ten milliseconds. */
#define WAIT_NS 1000000000u

static struct {
    _Atomic uint32_t
        at_work; /* the process that makes one: a fork may have interrupted its parent's */
    uint32_t seq;
    uint64_t next_periodic;
    uint64_t next_grown; /* not before */
    uint64_t mapped;     /* bytes, at the last dump */
    uint64_t size;       /* bytes that the last dump took in a recording, about */
    _Atomic uint64_t next_map_fail;
    uint64_t again_at; /* 0: not again */
    /* At the last look: who recorded dumps; which transitions were recorded. */
    const void *recorders;
    uint32_t transitions;
} dump = {.recorders = &dump};

#define TELL(name, ...)                                        \
    do {                                                       \
        struct hak_ev_##name event_ = {__VA_ARGS__};           \
        listener_emit(HAK_EV_##name, &event_, sizeof(event_)); \
    } while (0)

/* Links of remote queues that one dump follows: some milliseconds. */
#define LINKS_MOST (1u << 17)

/* Of one dump. */
struct sums {
    uint32_t superslabs, slabs, threads;
    uint32_t links; /* still to be followed */
    uint64_t parked[CLASSES];
};

static uint64_t count_of(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void tell_process(void)
{
    struct limits l;

    limits_read_all(&l);
    TELL(statedump_process, .seq = dump.seq, .rss = l.rss, .vm = l.vm, .limit_as = l.limit_as,
         .cgroup_used = l.cgroup_used, .cgroup_limit = l.cgroup_limit, .maps = l.maps,
         .max_maps = l.max_maps, .overcommit = l.overcommit, .threads = l.threads,
         .superslab_bytes = ss_mapped_bytes(), .purged_bytes = reclaim_purged_bytes(),
         .committed = l.committed, .commit_limit = l.commit_limit, .memory = l.memory,
         .hdr_resets = count_of(&counters.hdr_resets),
         .double_frees = count_of(&counters.double_frees),
         .invalid_frees = count_of(&counters.invalid_frees),
         .map_fails = count_of(&counters.map_fails), .ooms = count_of(&counters.ooms));
}

static void tell_thread(const struct thread_stock *t, void *arg)
{
    struct sums *sums = arg;
    uint64_t blocks = 0, bytes = 0;

    for (unsigned c = 0; c < CLASSES; c++) {
        blocks += t->parked[c];
        bytes += t->parked[c] * geometry[c].stride;
        sums->parked[c] += t->parked[c];
    }
    TELL(statedump_thread, .seq = dump.seq, .owner = t->owner, .tid = t->tid, .parked = blocks,
         .parked_bytes = bytes, .cached = t->cached, .cpu_ns = t->cpu_ns);
    sums->threads++;
}

static void tell_class(unsigned cls, uint64_t parked)
{
    struct hak_class_stats c;
    uint64_t samples, sampled;

    stats_class(cls, &c);
    thread_samples(cls, &samples, &sampled);
    TELL(statedump_class, .seq = dump.seq, .cls = cls, .stride = c.stride, .active = c.active,
         .peak = c.peak, .cap = c.cap, .frozen = demand_frozen(cls), .listed = c.listed,
         .marked = c.marked, .unmarked = c.unmarked, .ss_lg = demand_lg(cls),
         .shared_fail = c.shared_fail, .legacy_blocks = c.legacy_blocks, .parked = parked,
         .samples = samples, .sampled = sampled);
}

static void tell_layer(enum hak_ace_layer layer)
{
    struct hak_layer_stats l;

    stats_layer(layer, &l);
    TELL(statedump_pool, .seq = dump.seq, .layer = layer, .used = l.used, .peak = l.peak,
         .limit = l.limit, .mapped = l.mapped, .blocks = l.blocks, .threshold = l.threshold,
         .exhaustion = l.exhaustion, .map_fail = l.map_fail, .cached = l.cached, .idle = l.idle);
}

static void tell_slab(const struct slab *s, uint32_t info, struct sums *sums)
{
    struct owner *o = atomic_load_explicit(&s->owner, memory_order_acquire);
    unsigned no = slab_no(s), cls = info_cls(info), remote = 0;

    if (info_state(info) == SLAB_ACTIVE)
        remote = slab_remote_count(s, sums->links ? sums->links : 1);
    sums->links -= remote < sums->links ? remote : sums->links;

    TELL(statedump_slab, .seq = dump.seq, .ss = (uintptr_t)slab_ss(s), .slab = no,
         .gen = slab_gen(s), .cls = cls, .state = info_state(info), .owner = o ? o->id : 0,
         .used = info_state(info) == SLAB_ACTIVE ? slab_used(s) : 0, .carved = info_carved(info),
         .capacity = slab_capacity(cls, no), .remote = remote);
}

static void tell_superslab(struct superslab *ss, void *sums)
{
    struct sums *n = sums;

    TELL(statedump_superslab, .seq = dump.seq, .ss = (uintptr_t)ss, .lg = ss->lg,
         .slabs = ss->slabs, .kind = ss->kind,
         .unused = atomic_load_explicit(&ss->unused, memory_order_relaxed), .purged = ss->purged);
    n->superslabs++;
    for (unsigned no = 0; no < ss->slabs; no++) {
        uint32_t info = slab_info(&ss->slab[no]);

        if (info_state(info) == SLAB_UNUSED)
            continue;
        tell_slab(&ss->slab[no], info, n);
        n->slabs++;
    }
}

/* Events that tell how slabs change hands. */
static const enum hak_event transitions[] = {
    HAK_EV_slab_active, HAK_EV_slab_empty,    HAK_EV_slab_release,   HAK_EV_slab_publish,
    HAK_EV_slab_adopt,  HAK_EV_superslab_map, HAK_EV_superslab_unmap};
#define TRANSITIONS (sizeof(transitions) / sizeof(transitions[0]))

/* A bit for each of those that are recorded. */
static uint32_t transitions_recorded(void)
{
    uint32_t mask = 0;

    for (unsigned i = 0; i < TRANSITIONS; i++)
        mask |= (uint32_t)listener_wants(transitions[i]) << i;
    return mask;
}

static void tell_all(enum hak_dump_why why)
{
    struct sums n = {.links = LINKS_MOST};
    uint64_t began = os_now_ns();
    bool whole;

    dump.seq++;
    TELL(statedump_begin, .seq = dump.seq, .why = why, .os_pid = os_pid(),
         .classes = (uint32_t)config.classes,
         .transitions = transitions_recorded() == (1u << TRANSITIONS) - 1);
    tell_process();
    thread_each(tell_thread, &n);
    for (unsigned c = 0; c < CLASSES; c++)
        tell_class(c, n.parked[c]);
    for (enum hak_ace_layer layer = HAK_MID; layer <= HAK_HUGE; layer++)
        tell_layer(layer);
    whole = reclaim_each(tell_superslab, &n);
    legacy_each(tell_superslab, &n);
    TELL(statedump_end, .seq = dump.seq, .superslabs = n.superslabs, .slabs = n.slabs,
         .threads = n.threads, .whole = whole, .ns = os_now_ns() - began);
    dump.mapped = os_mapped_bytes();
    dump.size = (uint64_t)EVENT_BYTES * (n.superslabs + n.slabs + n.threads + CLASSES + 8);
}

/* Has this process a dump at work? */
static bool at_work(void)
{
    return atomic_load(&dump.at_work) == os_pid();
}

void dump_state(enum hak_dump_why why)
{
    uint32_t self = os_pid(), other = atomic_load(&dump.at_work);

    if (!trace_attached() || !listener_wants(HAK_EV_statedump_begin) || trace_busy() ||
        other == self || !atomic_compare_exchange_strong(&dump.at_work, &other, self))
        return;
    tell_all(why);
    atomic_store(&dump.at_work, 0);
}

void dump_before(enum hak_dump_why why)
{
    uint64_t began = os_now_ns();

    /* Not within a dump of ours. */
    if (trace_busy())
        return;
    while (at_work() && os_now_ns() - began < WAIT_NS)
        os_sleep_ns(1000000);
    dump_state(why);
}

void dump_map_fail(size_t size)
{
    uint64_t now = os_now_ns(), next = atomic_load(&dump.next_map_fail);

    /* A request for more than there are addresses is no shortage. */
    if (size >> PAGEMAP_ADDRESS_BITS == 0 && now >= next &&
        atomic_compare_exchange_strong(&dump.next_map_fail, &next, now + PERIOD_NS))
        dump_before(HAK_DUMP_MAP_FAIL);
}

/* Does a session begin, perhaps beside others? Its events may be enabled one after the other, and a
 * reader can only go on from a dump that came after the last of them. */
static bool session_begins(bool recorded)
{
    uint32_t mask = transitions_recorded();
    const void *recorders =
        recorded ? listener_recorders(HAK_EV_statedump_begin) : &dump; /* nobody */
    bool begins = recorded && (recorders != dump.recorders || mask & ~dump.transitions);

    dump.recorders = recorders;
    dump.transitions = mask;
    return begins;
}

/* Is it much larger than at the last dump? */
static bool grown(uint64_t now_ns)
{
    uint64_t mapped = os_mapped_bytes();

    return now_ns >= dump.next_grown && mapped >= dump.mapped + GROWN_LEAST &&
           mapped >= dump.mapped + dump.mapped / 2;
}

static uint64_t interval_ns(void)
{
    uint64_t paid = dump.size * 1000000000u / BYTES_A_SECOND;

    return paid > PERIOD_NS ? paid : PERIOD_NS;
}

/* What is due by itself, while this event is recorded. */
static bool periodic(uint64_t now_ns)
{
    bool larger = grown(now_ns);

    if (!listener_wants(HAK_EV_statedump_periodic) || (!larger && now_ns < dump.next_periodic))
        return false;
    TELL(statedump_periodic, .interval_ms = (uint32_t)(interval_ns() / 1000000u));
    dump_state(larger ? HAK_DUMP_GROWN : HAK_DUMP_PERIODIC);
    return true;
}

void dump_tick(uint64_t now_ns)
{
    bool recorded = listener_wants(HAK_EV_statedump_begin);
    bool begins = session_begins(recorded);
    bool again = recorded && dump.again_at && now_ns >= dump.again_at;

    if (begins || again) {
        dump.again_at = begins ? now_ns + AGAIN_NS : 0;
        dump_state(HAK_DUMP_SESSION);
    } else if (!recorded || !periodic(now_ns)) {
        return;
    }
    dump.next_periodic = now_ns + interval_ns();
    dump.next_grown = now_ns + GROWN_APART_NS;
}

void dump_at_exit(void)
{
    if (listener_wants(HAK_EV_statedump_periodic))
        dump_before(HAK_DUMP_EXIT);
}

#endif
