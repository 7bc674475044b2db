#include "tick.h"

#include <errno.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "ace.h"
#include "aftermath.h"
#include "config.h"
#include "demand.h"
#include "dump.h"
#include "helper.h"
#include "kernel.h"
#include "learn.h"
#include "lock.h"
#include "os.h"
#include "pool.h"
#include "pressure.h"
#include "reclaim.h"
#include "storm.h"
#include "thread.h"
#include "tiny.h"
#include "vg.h"

_Atomic bool tick_wanted;

/* A process that has less mapped, or has not lived for a tick, gets no thread: there is little to
 * give back, and some programs count their threads. */
#define WORTH_A_THREAD ((uint64_t)4 << 20)
#define WORTH_IT_AT_ONCE ((uint64_t)32 << 20)
#define HELPER_STACK ((size_t)256 << 10)
/* Ticks between two looks for idle memory. */
#define RECLAIM_TICKS 3u
/* After so many ticks in which nothing was wanted and nothing was left to do, it sleeps. */
#define QUIET_TICKS 40u

/* REFUSED: there was no thread to be had; asked again after a second. */
enum state { HELPER_NOT_YET, HELPER_NONE, HELPER_AWAKE, HELPER_ASLEEP, HELPER_REFUSED };
#define RETRY_NS 1000000000u

static struct {
    /* Held during a tick: a forked child must not be born in the middle of one. */
    struct lock lock;
    _Atomic uint32_t helper;
    uint32_t ticks, quiet;
    _Atomic uint64_t not_before;
    /* How many callers of tick_stop() there are. A helper that is made stores its state before it
     * reads this, who stops it adds itself before reading the state: one sees the other. */
    _Atomic uint32_t stopped;
    /* The helper's, once it runs. */
    _Atomic uint32_t pid, tid;
} tick;

/* One tick: true while there may be more to do later. */
static bool work(void)
{
    uint64_t now = os_now_ns();

    vg_enter();
    lock_take(&tick.lock);
    tick.ticks++;
    pool_look_after_published(tls.owner);
    if (tick.ticks % LEARN_WINDOW == 0)
        demand_learn();
    if (tick.ticks % RECLAIM_TICKS == 0)
        reclaim_aged();
    ace_tick(now);
    pressure_tick(now);
    storm_tell(false);
    /* A program that asks for nothing is told of to a late session, too. */
    trace_poll();
    dump_tick(now);
    aftermath_tick(now);
    lock_give(&tick.lock);
    vg_leave();
    /* A session may begin at any time to record what only a tick tells. */
    return !reclaim_done() || !ace_idle() || trace_attached();
}

static void sleep_until_wanted(void)
{
    atomic_store(&tick.helper, HELPER_ASLEEP);
    /* Whoever wanted something or stopped us before the store did not see us asleep. */
    if (atomic_load(&tick_wanted) || atomic_load(&tick.stopped))
        atomic_store(&tick.helper, HELPER_AWAKE);
    while (atomic_load(&tick.helper) == HELPER_ASLEEP)
        os_wait(&tick.helper, HELPER_ASLEEP);
    tick.quiet = 0;
}

static void nap(void)
{
    os_wait_within(&tick.stopped, 0, (uint32_t)config.tick * 1000000u);
}

static void *help(void *unused)
{
    (void)unused;
    atomic_store(&tick.pid, os_pid());
    atomic_store(&tick.tid, os_tid());
    (void)kernel_call(SYS_prctl, PR_SET_NAME, "hakmem-tick");
    /* A process that ends before the first tick shows no owner more. */
    nap();
    if (!thread_begin()) {
        atomic_store(&tick.helper, HELPER_NONE);
        return NULL;
    }
    thread_is_helper(true);
    /* The last thread of a process must not be this one: it would never end. */
    while (thread_live() > 1 && !atomic_load(&tick.stopped)) {
        bool wanted = atomic_exchange(&tick_wanted, false);

        tick.quiet = work() || wanted ? 0 : tick.quiet + 1;
        if (tick.quiet > QUIET_TICKS)
            sleep_until_wanted();
        else
            nap();
    }
    thread_is_helper(false);
    atomic_store(&tick.helper, HELPER_NONE);
    return NULL;
}

void tick_wake(void)
{
    uint32_t asleep = HELPER_ASLEEP;

    if (atomic_compare_exchange_strong(&tick.helper, &asleep, HELPER_AWAKE))
        os_wake(&tick.helper);
}

/* Much to give back is worth a thread at once, since there may be no later slow path that asks;
 * and so is a tracer, which has threads of its own. */
static bool worth_it(void)
{
    uint64_t mapped = os_mapped_bytes();

    return mapped >= WORTH_IT_AT_ONCE || trace_attached() ||
           (mapped >= WORTH_A_THREAD && os_now_ns() >= tick.not_before);
}

void tick_grown(void)
{
    if (atomic_load_explicit(&tick.helper, memory_order_relaxed) == HELPER_NONE &&
        os_mapped_bytes() >= WORTH_IT_AT_ONCE)
        tick_want();
}

static void make_helper(void)
{
    uint32_t none = HELPER_NONE;

    if (!atomic_compare_exchange_strong(&tick.helper, &none, HELPER_AWAKE))
        return;
    if (atomic_load(&tick.stopped)) {
        atomic_store(&tick.helper, HELPER_NONE);
    } else if (!helper_start(help, HELPER_STACK, HELPER_POWERLESS)) {
        tick.not_before = os_now_ns() + RETRY_NS;
        atomic_store(&tick.helper, HELPER_REFUSED);
    }
}

NOINLINE void tick_begin(void)
{
    int saved = errno;

    /* Under Valgrind, what belongs to a thread is in the leak search's sums: only where a tracer
     * has threads as well. */
    if (!config.tick || trace_busy() || (vg_on() && !trace_attached()))
        return;
    switch (atomic_load_explicit(&tick.helper, memory_order_relaxed)) {
    case HELPER_ASLEEP: tick_wake(); break;
    case HELPER_NONE:
        /* A tracer has just made some. */
        if (worth_it() && (thread_may_be_made() || trace_attached()))
            make_helper();
        break;
    case HELPER_REFUSED:
        if (os_now_ns() >= tick.not_before)
            atomic_store(&tick.helper, HELPER_NONE);
        break;
    default: break;
    }
    errno = saved;
}

void tick_allow(void)
{
    tick.not_before = os_now_ns() + (uint64_t)config.tick * 1000000u;
    atomic_store(&tick.helper, HELPER_NONE);
}

/* ---- no helper for a while ---- */

#define STOP_LOOKS 10000u
#define STOP_LOOK_NS 100000u

static bool helper_there(void)
{
    uint32_t state = atomic_load(&tick.helper), tid;

    if (state == HELPER_AWAKE || state == HELPER_ASLEEP)
        return true;
    /* What it does last is not ours: it has ended when the kernel does not know it any more. */
    tid = atomic_load(&tick.tid);
    if (tid && kernel_call(SYS_tgkill, os_pid(), tid, 0) == 0)
        return true;
    (void)atomic_compare_exchange_strong(&tick.tid, &tid, 0);
    return false;
}

NOINLINE bool tick_stop(void)
{
    uint32_t pid = atomic_load(&tick.pid);
    int saved = errno;

    if (!config.tick || (pid && pid != os_pid()))
        return false;
    atomic_fetch_add(&tick.stopped, 1);
    for (unsigned i = 0; i < STOP_LOOKS && helper_there(); i++) {
        os_wake(&tick.stopped);
        tick_wake();
        os_sleep_ns(STOP_LOOK_NS);
    }
    errno = saved;
    return true;
}

void tick_go_on(void)
{
    uint32_t n = atomic_load(&tick.stopped);

    /* None is counted in a child that a signal handler forked since. */
    while (n && !atomic_compare_exchange_weak(&tick.stopped, &n, n - 1))
        ;
    tick_want();
}

static void forget_helper(void)
{
    atomic_store(&tick.helper, HELPER_NONE);
    atomic_store(&tick.stopped, 0);
    atomic_store(&tick.pid, 0);
    atomic_store(&tick.tid, 0);
}

void tick_fork(enum fork_step step)
{
    if (step == FORK_CHILD) {
        forget_helper();
        aftermath_forked();
    }
    (void)lost_step(&tick.lock, step);
}
