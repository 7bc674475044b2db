#include "fork.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/single_threaded.h>

#include "ace.h"
#include "legacy.h"
#include "orphans.h"
#include "os.h"
#include "pool.h"
#include "process.h"
#include "reclaim.h"
#include "roll.h"
#include "storm.h"
#include "thread.h"
#include "tick.h"
#include "trace.h"
#include "vg.h"

/* ---- the C library's list of streams ---- */

/* Its lock, which its fork takes after our handlers: but whoever flushes all streams holds it while
 * he waits for one whose user may be waiting for a lock of ours. Other C libraries have no such
 * functions. */
__attribute__((weak)) void _IO_list_lock(void);
__attribute__((weak)) void _IO_list_unlock(void);
__attribute__((weak)) void _IO_list_resetlock(void);

static TLS_FAST bool streams_held;

static void streams_fork(enum fork_step step)
{
    if (!_IO_list_lock || !_IO_list_unlock || !_IO_list_resetlock)
        return;
    if (step == FORK_LOCK) {
        _IO_list_lock();
    } else if (streams_held) {
        if (step == FORK_PARENT)
            _IO_list_unlock();
        else
            /* The C library's fork may have made it anew already. */
            _IO_list_resetlock();
    }
    streams_held = step == FORK_LOCK;
}

/* ---- the order ---- */

/* Who holds a lock of this list takes only later ones. The tracer's locks come before those of the
 * layers: its threads allocate while they hold them. But who holds the tick's or the reclaimer's
 * emits events. The tracer's are given back last of all, by trace_after_fork(). */
static void (*const order[])(enum fork_step step) = {
    tick_fork,   reclaim_fork, trace_fork, streams_fork, thread_fork,
    legacy_fork, pool_fork,    ace_fork,   storm_fork,
};
#define BOXES (sizeof(order) / sizeof(order[0]))

static void forwards(enum fork_step step)
{
    for (unsigned i = 0; i < BOXES; i++)
        order[i](step);
}

static void backwards(enum fork_step step)
{
    for (unsigned i = BOXES; i--;)
        order[i](step);
}

/* ---- the handlers ---- */

enum way {
    NO_FORK,
    ALONE,   /* no other thread: the locks are free, or this thread's, which goes on in the child */
    LOADING, /* the tracer, being loaded, forks a process that does not allocate */
    INSIDE,  /* a signal handler forks that interrupted a slow path, which may hold locks; or
                somebody  may who is not here */
    LOCKED,
};

/* Of the calling thread's fork. In a fork that a handler of another fork makes, nothing is done. */
static TLS_FAST enum way way;
static TLS_FAST uint32_t nested;

static enum way choose(void)
{
    if (trace_is_attaching())
        return LOADING;
    if (__libc_single_threaded && !trace_attached())
        return ALONE;
    return lost_depth || trace_busy() || lost() ? INSIDE : LOCKED;
}

static void before_fork(void)
{
    if (way != NO_FORK) {
        nested++;
        return;
    }
    way = choose();
    if (way != LOCKED)
        return;
    vg_enter();
    forwards(FORK_LOCK);
    /* Handlers that were registered before ours run while we hold the locks, and may allocate:
     * the slow paths then leave our slabs alone. */
    trace_inside = true;
}

static void after_fork_parent(void)
{
    enum way was = way;

    if (nested) {
        nested--;
        return;
    }
    if (was == LOCKED) {
        trace_inside = false;
        backwards(FORK_PARENT);
        trace_after_fork_parent();
        vg_leave();
    }
    way = NO_FORK;
}

static void child_of_locked(void)
{
    trace_inside = false;
    backwards(FORK_CHILD);
    orphans_seize(true);
    lost_found();
    roll_forked(ROLL_FORKED);
    /* Only now does the tracer write to this process's own buffers. */
    trace_after_fork_child();
    orphans_publish();
    vg_leave();
    process_forked();
}

static void after_fork_child(void)
{
    enum way was = nested ? INSIDE : way;

    switch (was) {
    case NO_FORK:
    case LOADING: break;
    case ALONE:
        lost_found();
        roll_forked(ROLL_FORKED);
        thread_forked_alone();
        trace_forked_alone();
        break;
    case INSIDE:
        /* Put in order when what was interrupted has come to its end. */
        roll_forked(ROLL_UNSEEN);
        trace_forked_unseen();
        break;
    case LOCKED: child_of_locked(); break;
    }
    if (nested) {
        nested = 0;
        trace_inside = false;
    }
    way = NO_FORK;
}

void fork_begin(void)
{
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

/* ---- a child that was born without us ---- */

/* What is whose only the thread knows that was forked along, and it may put things in order only
 * while it is alone. If another comes first, the child stays as it is: its slow paths do without
 * what locks guard that nobody gives. */
static bool may_recover(void)
{
    uint32_t by = LOST_TO_NOBODY, first;

    if (lost_to() == LOST_TO_NOBODY) {
        first = os_tid() == os_pid() ? LOST_TO_FIRST : LOST_TO_OTHERS;
        if (lost_claim(&by, first))
            return first == LOST_TO_FIRST;
    }
    while (lost_to() == LOST_TO_FIRST && lost())
        os_sleep_ns(100000);
    return false;
}

NOINLINE void fork_recover(void)
{
    /* Between the handlers of a fork, others' allocate. */
    if (way != NO_FORK || trace_busy() || !may_recover())
        return;
    vg_enter();
    roll_forked(ROLL_UNSEEN);
    trace_forked_unseen();
    forwards(FORK_SEIZE);
    backwards(FORK_CHILD);
    orphans_seize(false);
    lost_found();
    orphans_publish();
    vg_leave();
    process_forked();
}
