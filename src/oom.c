#include "oom.h"

#include <errno.h>

#include "config.h"
#include "dump.h"
#include "helper.h"
#include "kept.h"
#include "limits.h"
#include "log.h"
#include "os.h"
#include "stats.h"
#include "superslab.h"

/* The report and the dump look at everything, and a program at its limit fails often. */
#define EVERY_NS 1000000000u

#define MIB(bytes) ((unsigned long)((bytes) >> 20))

static bool due(void)
{
    static _Atomic uint64_t next;
    uint64_t now = os_now_ns();
    uint64_t at = atomic_load_explicit(&next, memory_order_relaxed);

    return now >= at && atomic_compare_exchange_strong(&next, &at, now + EVERY_NS);
}

static void report_classes(void)
{
    log_line("hakmem:   class stride  active    cap  empty   peak shared_fail   legacy\n");
    for (unsigned c = 0; c < CLASSES; c++) {
        struct hak_class_stats s;

        stats_class(c, &s);
        if (s.peak)
            log_line("hakmem:   C%-4u %6u  %6u %6u %6u %6u %11lu %8lu\n", c, s.stride, s.active,
                     s.cap, s.listed + s.marked, s.peak, (unsigned long)s.shared_fail,
                     (unsigned long)s.legacy_blocks);
    }
}

static void report_layers(void)
{
    static const struct {
        enum hak_ace_layer layer;
        const char *name;
    } layers[] = {{HAK_MID, "mid"}, {HAK_LARGE, "large"}, {HAK_HUGE, "huge"}};

    for (unsigned i = 0; i < sizeof(layers) / sizeof(layers[0]); i++) {
        struct hak_layer_stats l;

        stats_layer(layers[i].layer, &l);
        if (l.peak || l.map_fail)
            log_line("hakmem:   %-5s %lu MiB used, at most %lu, mapped %lu, limit %lu; refused: "
                     "threshold %lu, exhaustion %lu, map %lu\n",
                     layers[i].name, MIB(l.used), MIB(l.peak), MIB(l.mapped), MIB(l.limit),
                     (unsigned long)l.threshold, (unsigned long)l.exhaustion,
                     (unsigned long)l.map_fail);
    }
}

static void report_limit(const char *name, uint64_t used, uint64_t limit)
{
    if (limit)
        log_line("hakmem:   %s: %lu of %lu MiB\n", name, MIB(used), MIB(limit));
}

static void report(size_t size, size_t align, int err)
{
    struct limits l;

    limits_read_all(&l);
    log_line(
        "hakmem: out of memory: %zu bytes at a multiple of %zu refused by every layer, errno %d "
        "(pid %d)\n",
        size, align ? align : _Alignof(max_align_t), err, (int)os_pid());
    log_line("hakmem:   rss %lu MiB, address space %lu MiB, SuperSlabs %lu MiB, %lu mappings of "
             "at most %lu, overcommit %u\n",
             MIB(l.rss), MIB(l.vm), MIB(ss_mapped_bytes()), (unsigned long)l.maps,
             (unsigned long)l.max_maps, l.overcommit);
    if (kept_bytes())
        log_line("hakmem:   %lu MiB that nobody uses and the kernel would not unmap\n",
                 MIB(kept_bytes()));
    report_limit("RLIMIT_AS (ulimit -v)", l.vm, l.limit_as);
    report_limit("RLIMIT_DATA (ulimit -d)", l.data, l.limit_data);
    report_limit("memory cgroup", l.cgroup.used, l.cgroup.limit);
    report_classes();
    report_layers();
}

/* A request for all addresses that a program has, or more, is no shortage: some programs make one
 * to see it refused. */
static bool is_absurd(size_t bytes)
{
    return bytes >> (PAGEMAP_ADDRESS_BITS - 1) != 0;
}

void oom(size_t size, size_t align, int err)
{
    int saved = errno;
    bool told;

    /* LTTng does without, and loses events: no shortage of the program's. */
    if (helper_here || trace_is_attaching())
        return;
    told = !is_absurd(size) && !is_absurd(align) && !trace_busy() && due();
    /* First, so that a snapshot which the event triggers has all of it. */
    if (told)
        dump_before(HAK_DUMP_OOM);
    trace_oom(size, align, err);
    if (told && config.oom_report)
        report(size, align, err);
    errno = saved;
}
