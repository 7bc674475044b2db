#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/un.h>

#include "ace.h"
#include "aftermath.h"
#include "config.h"
#include "demand.h"
#include "descriptors.h"
#include "dump.h"
#include "fork.h"
#include "helper.h"
#include "identity.h"
#include "legacy.h"
#include "limits.h"
#include "lock.h"
#include "log.h"
#include "os.h"
#include "pool.h"
#include "reclaim.h"
#include "roll.h"
#include "stats.h"
#include "storm.h"
#include "sysmalloc.h"
#include "thread.h"
#include "tiny.h"
#include "vg.h"
#include "vg_end.h"

_Atomic bool process_ready;
_Atomic bool process_searching;

/* By the kernel's 16 random bytes for this execution: no system call, no failure. */
static void secrets_init(void)
{
    const void *bytes = (const void *)getauxval(AT_RANDOM);
    uint64_t seed[2];

    if (bytes) {
        memcpy(seed, bytes, sizeof(seed));
    } else {
        seed[0] = os_now_ns();
        seed[1] = (uintptr_t)&seed;
    }
    word_init(seed);
}

/* The knobs' soft caps as events, where somebody listens from the start. */
static void caps_report(void)
{
    for (unsigned c = 0; c < CLASSES; c++)
        if (config.caps[c])
            trace_cap_change(c, 0, config.caps[c], HAK_CAP_KNOB, 0);
}

static void init(void)
{
    vg_init();
    log_begin();
    vg_end_init();
    config_init();
    limits_find();
    lost_init();
    os_fail_maps(config.fail_map);
    secrets_init();
    legacy_init();
    thread_init();
    helper_init();
    demand_init();
    geometry_init(config.classes);
    atomic_store_explicit(&process_ready, true, memory_order_release);
}

void process_init_once(void)
{
    static struct lock once;

    lock_take(&once);
    if (!atomic_load_explicit(&process_ready, memory_order_relaxed))
        init();
    lock_give(&once);
}

/* ---- HAKMEM_TRACE=auto ---- */

#define SEARCH_EVERY_NS 150000000u
#define SEARCH_CALLS 16u

static struct {
    _Atomic uint32_t calls;
    _Atomic uint64_t next_ns;
} search;

/* Where the user's own session daemon listens; empty if there is no such place. Found once: the
 * program may change its environment at any later moment, on another thread. */
static char user_socket[sizeof(((struct sockaddr_un *)0)->sun_path)];

static void find_user_socket(void)
{
    static const char file[] = "/.lttng/lttng-ust-sock-8";
    const char *home = os_env("LTTNG_HOME");
    size_t len;

    if (!home)
        home = os_env("HOME");
    if (!home)
        return;
    len = strlen(home);
    if (len + sizeof(file) > sizeof(user_socket))
        return;
    /* printf would bring a hundred KiB of libc into every process's RSS. */
    memcpy(user_socket, home, len);
    memcpy(user_socket + len, file, sizeof(file));
}

/* Is there a session daemon that LTTng-UST, once loaded, would find? */
static bool daemon_there(void)
{
    return os_listens("/var/run/lttng/lttng-ust-sock-8") || os_listens(user_socket);
}

void process_forked(void)
{
    /* The parent's helper thread, if it was at work, is not ours. */
    if (config.trace == TRACE_AUTO && !trace_attached())
        atomic_store_explicit(&process_searching, true, memory_order_relaxed);
}

static void *help(void *unused)
{
    (void)unused;
    if (trace_attach(false, false))
        tick_begin();
    return NULL;
}

/* Loads the tracer on a thread of its own: LTTng's start takes milliseconds, and more when its
 * daemon is slow to answer. */
static void start_helper(void)
{
    if (!thread_may_be_made() || !helper_start(help, 0, HELPER_AS_WE))
        atomic_store_explicit(&process_searching, true, memory_order_relaxed);
}

NOINLINE void process_search(void)
{
    uint64_t next = atomic_load_explicit(&search.next_ns, memory_order_relaxed);
    int saved = errno;
    uint64_t now;

    if (atomic_fetch_add_explicit(&search.calls, 1, memory_order_relaxed) % SEARCH_CALLS != 0 ||
        trace_busy())
        return;
    now = os_now_ns();
    if (now < next ||
        !atomic_compare_exchange_strong_explicit(&search.next_ns, &next, now + SEARCH_EVERY_NS,
                                                 memory_order_relaxed, memory_order_relaxed))
        return;
    /* A socket file outlives a daemon that was killed, so it is asked whether somebody listens. */
    if (daemon_there()) {
        atomic_store_explicit(&process_searching, false, memory_order_relaxed);
        start_helper();
    }
    errno = saved;
}

/* ---- begin and end ---- */

__attribute__((constructor)) static void process_begin(void)
{
    bool replaced;

    process_init();
    replaced = vg_replaces_us();
    /* Valgrind, which answers for libc then, shows how often it was called; and has blocks freed
     * when the loader finds nothing any more. */
    if (vg_on() || replaced)
        (void)sys_ready();
    else
        sys_begin();
    config_warn();
    stats_begin();
    descriptors_begin();
    identity_begin();
    fork_begin();
    roll_begin();
    tick_allow();
    /* A tracer would have nothing to tell, and its threads something to be reported. */
    if (replaced) {
        if (config.trace == TRACE_NOW)
            log_line("hakmem: Valgrind answers this program's requests itself: nothing is "
                     "recorded\n");
        return;
    }
    if (config.trace == TRACE_NOW) {
        if (trace_attach(true, true))
            tick_begin();
        caps_report();
        return;
    }
    trace_early_end();
    if (HAK_TRACE && config.trace == TRACE_AUTO) {
        find_user_socket();
        /* Processes that end before this never look. */
        atomic_store_explicit(&search.next_ns, os_now_ns() + SEARCH_EVERY_NS, memory_order_relaxed);
        atomic_store_explicit(&process_searching, true, memory_order_relaxed);
    }
}

/* The tracer, which needs this library, ends before it: what is told at the end is told then. */
static void end(void)
{
    static bool ended;

    if (ended)
        return;
    ended = true;
    vg_enter();
    storm_tell(true);
    dump_at_exit();
    aftermath_at_exit();
    stats_print();
    vg_leave();
}

#if HAK_TRACE
EXPORT void hak_trace_detach(void)
{
    end();
    trace_detach();
}
#endif

__attribute__((destructor)) static void process_end(void)
{
    end();
}
