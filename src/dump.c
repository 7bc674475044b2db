#include "dump.h"

#include "census.h"
#include "config.h"
#include "demand.h"
#include "limits.h"
#include "listener.h"
#include "os.h"
#include "pagemap.h"
#include "pool.h"
#include "reclaim.h"
#include "resident.h"
#include "stats.h"
#include "storm.h"
#include "thread.h"

#if HAK_TRACE

#include <string.h>

#define PERIOD_NS 5000000000u
/* Sums cost three kilobytes of a recording. */
#define SUMS_NS 1000000000u
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
    uint64_t next_sums;
    uint64_t next_grown; /* not before */
    uint64_t mapped;     /* bytes, at the last dump */
    uint64_t size;       /* bytes that the last dump took in a recording, about */
    _Atomic uint64_t next_map_fail;
    uint64_t again_at; /* 0: not again */
    /* At the last look: who recorded dumps; which transitions were recorded. */
    const void *recorders;
    uint32_t transitions;
} dump;

#define TELL(name, ...)                                        \
    do {                                                       \
        struct hak_ev_##name event_ = {__VA_ARGS__};           \
        listener_emit(HAK_EV_##name, &event_, sizeof(event_)); \
    } while (0)

/* Of one dump; one is made at a time. */
static struct {
    struct census census;
    struct resident resident;
    uint32_t threads;
    uint64_t parked[CLASSES];
    uint64_t parked_bytes, cached;
    bool details;
} told;

static uint64_t count_of(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void tell_process(void)
{
    struct limits l;

    /* One right after the other: they are held against each other. */
    resident_take(&told.resident, told.details);
    if (told.details)
        limits_read_all(&l);
    else
        limits_read(&l);
    TELL(statedump_process, .seq = dump.seq, .rss = l.rss, .vm = l.vm, .limit_as = l.limit_as,
         .cgroup_used = l.cgroup.used, .cgroup_limit = l.cgroup.limit, .maps = l.maps,
         .max_maps = l.max_maps, .overcommit = l.overcommit, .threads = l.threads,
         .superslab_bytes = ss_mapped_bytes(), .purged_bytes = reclaim_purged_bytes(),
         .committed = l.committed, .commit_limit = l.commit_limit, .memory = l.memory,
         .hdr_resets = count_of(&counters.hdr_resets),
         .double_frees = count_of(&counters.double_frees),
         .invalid_frees = count_of(&counters.invalid_frees),
         .map_fails = count_of(&counters.map_fails), .ooms = count_of(&counters.ooms),
         .anon = l.anon, .parked_bytes = told.parked_bytes, .cached = told.cached,
         .exact = told.census.exact, .looked = told.resident.known,
         .empty_resident = told.resident.empty, .unbound_resident = told.resident.unbound,
         .headers = told.resident.headers, .tables = told.resident.tables, .shmem = l.shmem);
    if (told.details)
        TELL(statedump_limits, .seq = dump.seq, .data = l.data, .limit_data = l.limit_data,
             .locked = l.locked, .limit_memlock = l.limit_memlock, .limit_stack = l.limit_stack,
             .cgroup_version = l.cgroup.version, .cgroup_kills = l.cgroup.kills,
             .cgroup = l.cgroup.path, .hard_as = l.hard_as, .hard_data = l.hard_data,
             .hard_memlock = l.hard_memlock, .tracer = l.tracer);
}

static void count_thread(const struct thread_stock *t, void *unused)
{
    uint64_t blocks = 0, bytes = 0;

    (void)unused;
    for (unsigned c = 0; c < CLASSES; c++) {
        blocks += t->parked[c];
        bytes += t->parked[c] * geometry[c].stride;
        told.parked[c] += t->parked[c];
    }
    told.parked_bytes += bytes;
    told.cached += t->cached;
    if (!told.details)
        return;
    TELL(statedump_thread, .seq = dump.seq, .owner = t->owner, .tid = t->tid, .parked = blocks,
         .parked_bytes = bytes, .cached = t->cached, .cpu_ns = t->cpu_ns);
    told.threads++;
}

static void tell_class(unsigned cls)
{
    const struct census_class *n = &told.census.cls[cls];
    struct hak_class_stats c;
    uint64_t samples, sampled;

    stats_class(cls, &c);
    thread_samples(cls, &samples, &sampled);
    TELL(statedump_class, .seq = dump.seq, .cls = cls, .stride = c.stride, .active = c.active,
         .peak = c.peak, .cap = c.cap, .frozen = demand_frozen(cls), .listed = c.listed,
         .marked = c.marked, .unmarked = c.unmarked, .ss_lg = demand_lg(cls),
         .shared_fail = c.shared_fail, .legacy_blocks = c.legacy_blocks, .parked = told.parked[cls],
         .samples = samples, .sampled = sampled, .slabs = n->slabs, .used = n->used,
         .carved = n->carved, .capacity = n->capacity, .remote = n->remote, .sparse = n->sparse,
         .sparse_free = n->sparse_free, .kept = n->kept, .resident = told.resident.active[cls]);
}

static void tell_layer(enum hak_ace_layer layer)
{
    struct hak_layer_stats l;

    stats_layer(layer, &l);
    TELL(statedump_pool, .seq = dump.seq, .layer = layer, .used = l.used, .peak = l.peak,
         .limit = l.limit, .mapped = l.mapped, .blocks = l.blocks, .threshold = l.threshold,
         .exhaustion = l.exhaustion, .map_fail = l.map_fail, .cached = l.cached, .idle = l.idle,
         .resident = told.resident.layer[layer]);
}

static void tell_slab(const struct slab *s, uint32_t info, uint32_t remote)
{
    struct owner *o = atomic_load_explicit(&s->owner, memory_order_acquire);
    unsigned no = slab_no(s), cls = info_cls(info);

    TELL(statedump_slab, .seq = dump.seq, .ss = (uintptr_t)slab_ss(s), .slab = no,
         .gen = slab_gen(s), .cls = cls, .state = info_state(info), .owner = o ? o->id : 0,
         .used = info_state(info) == SLAB_ACTIVE ? slab_used(s) : 0, .carved = info_carved(info),
         .capacity = slab_capacity(cls, no), .remote = remote);
}

static void tell_superslab(const struct superslab *ss)
{
    TELL(statedump_superslab, .seq = dump.seq, .ss = (uintptr_t)ss, .lg = ss->lg,
         .slabs = ss->slabs, .kind = ss->kind,
         .unused = atomic_load_explicit(&ss->unused, memory_order_relaxed), .purged = ss->purged);
}

static const struct census_taker in_detail = {tell_superslab, tell_slab}, in_sum = {NULL, NULL};

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
    uint64_t began = os_now_ns();
    const struct census *n = &told.census;

    if (why != HAK_DUMP_SUMS)
        storm_tell(true);
    dump.seq++;
    memset(&told, 0, sizeof(told));
    told.details = why != HAK_DUMP_SUMS;
    TELL(statedump_begin, .seq = dump.seq, .why = why, .os_pid = os_pid(),
         .classes = (uint32_t)config.classes,
         .transitions = transitions_recorded() == (1u << TRANSITIONS) - 1, .details = told.details);
    census_take(&told.census, told.details ? &in_detail : &in_sum);
    thread_each(count_thread, NULL);
    tell_process();
    for (unsigned c = 0; c < CLASSES; c++)
        tell_class(c);
    for (enum hak_ace_layer layer = HAK_MID; layer <= HAK_HUGE; layer++)
        tell_layer(layer);
    TELL(statedump_end, .seq = dump.seq, .superslabs = told.details ? n->superslabs : 0,
         .slabs = told.details ? n->slabs : 0, .threads = told.threads, .whole = n->whole,
         .ns = os_now_ns() - began);
    if (!told.details)
        return;
    dump.mapped = os_mapped_bytes();
    dump.size = (uint64_t)EVENT_BYTES * (n->superslabs + n->slabs + told.threads + CLASSES + 8);
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
    const struct hak_trace_ops *ops = atomic_load_explicit(&listener_ops, memory_order_acquire);
    const void *recorders = ops ? listener_recorders(ops, HAK_EV_statedump_begin) : NULL;
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

/* After a dump in detail. */
static void schedule(uint64_t now_ns)
{
    dump.next_sums = now_ns + SUMS_NS;
    dump.next_periodic = now_ns + interval_ns();
    dump.next_grown = now_ns + GROWN_APART_NS;
}

/* What is due by itself, if anything. */
static bool is_due(uint64_t now_ns, enum hak_dump_why *why)
{
    if (grown(now_ns))
        *why = HAK_DUMP_GROWN;
    else if (now_ns >= dump.next_periodic)
        *why = HAK_DUMP_PERIODIC;
    else if (now_ns >= dump.next_sums)
        *why = HAK_DUMP_SUMS;
    else
        return false;
    return true;
}

static void periodic(uint64_t now_ns)
{
    enum hak_dump_why why;

    if (!is_due(now_ns, &why))
        return;
    TELL(statedump_periodic, .interval_ms = (uint32_t)(interval_ns() / 1000000u));
    dump_state(why);
    if (why == HAK_DUMP_SUMS)
        dump.next_sums = now_ns + SUMS_NS;
    else
        schedule(now_ns);
}

void dump_tick(uint64_t now_ns)
{
    bool recorded = listener_wants(HAK_EV_statedump_begin);
    bool begins = session_begins(recorded);
    bool again = recorded && dump.again_at && now_ns >= dump.again_at;

    if (begins || again) {
        dump.again_at = begins ? now_ns + AGAIN_NS : 0;
        dump_state(HAK_DUMP_SESSION);
        schedule(now_ns);
    } else if (recorded && listener_wants(HAK_EV_statedump_periodic)) {
        periodic(now_ns);
    }
}

void dump_afterwards(uint64_t now_ns)
{
    dump_state(HAK_DUMP_AFTERWARDS);
    schedule(now_ns);
}

void dump_at_exit(void)
{
    if (listener_wants(HAK_EV_statedump_periodic))
        dump_before(HAK_DUMP_EXIT);
}

#endif
