#include "stats.h"

#include <string.h>
#include <unistd.h>

#include "ace.h"
#include "config.h"
#include "kept.h"
#include "log.h"
#include "os.h"
#include "pool.h"

static int stats_fd = STDERR_FILENO;

static uint64_t get(_Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

void stats_class(unsigned c, struct hak_class_stats *out)
{
    out->stride = geometry[c].stride;
    pool_class_stats(c, out);
    for (unsigned s = 0; s < 6; s++)
        out->acquires[s] = get(&counters.acquires[c][s]);
    out->shared_fail = get(&counters.shared_fail[c]);
    out->legacy_blocks = get(&counters.legacy_blocks[c]);
}

void stats_layer(enum hak_ace_layer layer, struct hak_layer_stats *out)
{
    /* No layer tells all of it. */
    memset(out, 0, sizeof(*out));
    ace_layer_stats(layer, out);
    out->threshold = get(&counters.ace_fails[layer][HAK_THRESHOLD]);
    out->exhaustion = get(&counters.ace_fails[layer][HAK_EXHAUSTION]);
    out->map_fail = get(&counters.ace_fails[layer][HAK_MAP_FAIL_OS]);
}

EXPORT void hak_get_stats(struct hak_stats *out)
{
    memset(out, 0, sizeof(*out));
    lost_enter();
    for (unsigned c = 0; c < CLASSES; c++)
        stats_class(c, &out->cls[c]);
    for (unsigned i = 0; i < 3; i++)
        out->superslabs[i] = get(&counters.superslabs[i]);
    out->mapped_bytes = ss_mapped_bytes();
    stats_layer(HAK_MID, &out->mid);
    stats_layer(HAK_LARGE, &out->large);
    stats_layer(HAK_HUGE, &out->huge);
    out->system_large = get(&counters.system_large);
    out->system_other = get(&counters.system_other);
    out->hdr_resets = get(&counters.hdr_resets);
    out->double_frees = get(&counters.double_frees);
    out->invalid_frees = get(&counters.invalid_frees);
    out->map_fails = get(&counters.map_fails);
    out->ooms = get(&counters.ooms);
    out->lock_taken = get(&counters.lock_taken);
    out->lock_contended = get(&counters.lock_contended);
    out->lock_waited_ns = get(&counters.lock_waited_ns);
    out->lock_waited_max_ns = get(&counters.lock_waited_max_ns);
    out->threads_started = get(&counters.threads_started);
    out->threads_ended = get(&counters.threads_ended);
    out->kept_bytes = kept_bytes();
    lost_leave();
}

static bool worth_a_line(const struct hak_class_stats *s)
{
    for (unsigned i = 0; i < 6; i++)
        if (s->acquires[i])
            return true;
    return s->shared_fail || s->legacy_blocks;
}

static void print_stages(const struct hak_stats *st)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        const struct hak_class_stats *s = &st->cls[c];

        if (worth_a_line(s))
            log_to(stats_fd,
                   "[SHARED_POOL_STAGE_STATS] cls=%u stride=%u stage0.5=%lu stage1=%lu "
                   "stage2=%lu adopt=%lu rebind=%lu stage3=%lu shared_fail=%lu legacy=%lu "
                   "active=%u peak=%u cap=%u\n",
                   c, s->stride, s->acquires[HAK_STAGE_0_5], s->acquires[HAK_STAGE_1],
                   s->acquires[HAK_STAGE_2], s->acquires[HAK_ADOPT], s->acquires[HAK_REBIND],
                   s->acquires[HAK_STAGE_3], s->shared_fail, s->legacy_blocks, s->active, s->peak,
                   s->cap);
    }
}

void stats_begin(void)
{
    int fd = -1;

    if (config.stage_stats || config.lock_stats)
        fd = os_dup(STDERR_FILENO, 512);
    if (fd >= 0)
        stats_fd = fd;
}

void stats_print(void)
{
    struct hak_stats st;

    if (!config.stage_stats && !config.lock_stats)
        return;
    hak_get_stats(&st);
    if (config.stage_stats)
        print_stages(&st);
    if (config.lock_stats)
        log_to(stats_fd,
               "[SHARED_POOL_LOCK_STATS] taken=%lu contended=%lu waited_ns=%lu "
               "waited_max_ns=%lu\n",
               st.lock_taken, st.lock_contended, st.lock_waited_ns, st.lock_waited_max_ns);
}
