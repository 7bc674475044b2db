#include "listener.h"

#include <errno.h>
#include <pthread.h>

#include "config.h"
#include "early.h"
#include "lock.h"
#include "log.h"
#include "os.h"
#include "provider.h"
#include "reserve.h"
#include "roll.h"
#include "vg.h"
#include "who.h"

TLS_FAST bool trace_inside;

#if HAK_TRACE

_Atomic(const struct hak_trace_ops *) listener_ops;
_Atomic bool listener_early = true;
_Atomic size_t trace_malloc_gate = TINY_MAX + 1;
_Atomic uintptr_t trace_free_gate = PAGEMAP_ROOTS;
_Atomic bool trace_calls_wanted;

/* The recorders that have been told what process this is. */
static _Atomic(const void *) announced_to;
/* A session enables its events some time before it is started, and what is emitted in between is
 * lost, which nobody here can see. So the announcement to a late session is repeated, so often,
 * each time after twice the time. */
#define ANNOUNCEMENTS 5
#define ANNOUNCE_NS 250000000u
static _Atomic uint32_t announce_again;
static _Atomic uint64_t announce_at;
/* Held while the tracer is being loaded: a fork in the middle would leave the child with a tracer
 * that was never told of it and waits for threads that the child does not have. */
static struct lock attach_lock;
/* This thread holds it: LTTng's start forks once where its shared memory is not there yet. */
static TLS_FAST bool attaching;
#define REPLAY_WAIT_NS 50000u

/* Set in a forked child until the tracer has been told of the fork. */
static _Atomic bool unsettled;
/* The process this one was forked from; 0 if it was executed. */
static uint32_t forked_from;
/* When this life began, or began to be told; 0: it has not yet. */
static uint64_t born;

static void hand_over(void (*emit)(const void *), const void *event)
{
    int saved = errno, cancel;

    trace_inside = true;
    /* The tracer writes to a pipe when a buffer is full; malloc and free are no cancellation
     * points. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    emit(event);
    pthread_setcancelstate(cancel, NULL);
    trace_inside = false;
    errno = saved;
}

static void call(const struct hak_trace_ops *ops, enum hak_event id, const void *event)
{
    hand_over(ops->emit[id], event);
}

void listener_emit_call(enum hak_libc_call id, const void *event)
{
    const struct hak_trace_ops *ops = atomic_load_explicit(&listener_ops, memory_order_acquire);

    if (ops && !trace_inside && *ops->call_state[id])
        hand_over(ops->emit_call[id], event);
}

static bool is_early(void)
{
    return atomic_load_explicit(&listener_early, memory_order_acquire);
}

/* The queue is being replayed: what comes later must not be told before. NULL where it turns out
 * that nobody will listen. */
static const struct hak_trace_ops *wait_to_listen(void)
{
    while (is_early() && !attaching && !lost())
        os_sleep_ns(REPLAY_WAIT_NS);
    return atomic_load_explicit(&listener_ops, memory_order_acquire);
}

void listener_emit(enum hak_event id, const void *event, size_t size)
{
    const struct hak_trace_ops *ops = atomic_load_explicit(&listener_ops, memory_order_acquire);

    if (trace_inside || lost())
        return;
    if (!ops && is_early() && !early_push(id, event, size))
        ops = wait_to_listen();
    if (ops)
        call(ops, id, event);
}

void trace_early_end(void)
{
    atomic_store_explicit(&listener_early, false, memory_order_release);
}

static void emit_config(const char *name, const char *value, bool is_default, void *ops)
{
    struct hak_ev_config event = {.key = name, .value = value, .is_default = is_default};

    call(ops, HAK_EV_config, &event);
}

static void emit_process_start(const struct hak_trace_ops *ops, bool complete, uint32_t again)
{
    const void *to;
    struct who who;
    struct hak_ev_process_start event = {
        .version = hak_version(),
        .flavour = HAK_FLAVOUR,
        .os_pid = os_pid(),
        .parent = forked_from,
        .complete = complete,
        .again = again,
        .name = who.name,
        .command = who.command,
        .born = born,
    };

    who_look(&who);
    event.ppid = who.parent;
    event.started = who.started;
    /* Emitted while nobody records, it will be said again when somebody does. */
    to = listener_recorders(ops, HAK_EV_process_start);
    atomic_store_explicit(&announced_to, to, memory_order_relaxed);
    call(ops, HAK_EV_process_start, &event);
    if (to)
        roll_told();
    config_each(emit_config, (void *)(uintptr_t)ops);
}

static const struct hak_trace_ops *replay_to;

static void replay(enum hak_event id, const void *event)
{
    call(replay_to, id, event);
}

static bool attach(bool complete, bool loud)
{
    const struct hak_trace_ops *ops;
    const char *why = NULL;

    if (trace_attached())
        return true;
    reserve_prepare();
    ops = provider_load(&why);
    if (!ops) {
        trace_early_end();
        if (loud)
            log_line("hakmem: HAKMEM_TRACE=1 but the tracer cannot be loaded: %.300s\n", why);
        return false;
    }
    complete = early_close() && complete;
    if (!born)
        born = os_now_ns();
    emit_process_start(ops, complete, 0);
    replay_to = ops;
    if (complete)
        early_replay(replay);
    atomic_store_explicit(&listener_ops, ops, memory_order_release);
    trace_early_end();
    trace_poll();
    return true;
}

bool trace_attach(bool complete, bool loud)
{
    bool attached;

    lock_take(&attach_lock);
    attaching = true;
    attached = attach(complete, loud);
    attaching = false;
    lock_give(&attach_lock);
    return attached;
}

/* Says again to a session that began late what process this is, if it is time to. */
static void announce_once_more(const struct hak_trace_ops *ops)
{
    uint32_t again = atomic_load_explicit(&announce_again, memory_order_relaxed);
    uint64_t at = atomic_load_explicit(&announce_at, memory_order_relaxed);
    uint64_t now = os_now_ns();

    if (now < at || !again ||
        !atomic_compare_exchange_strong_explicit(&announce_at, &at, now + (ANNOUNCE_NS << again),
                                                 memory_order_relaxed, memory_order_relaxed))
        return;
    atomic_store_explicit(&announce_again, again < ANNOUNCEMENTS ? again + 1 : 0,
                          memory_order_relaxed);
    emit_process_start(ops, false, again);
}

/* Sends every malloc and free through the slow paths, or, without Valgrind, no longer. */
static void gates_set(bool recorded)
{
    bool shut = recorded || vg_on();

    if (likely(shut == !malloc_gate()))
        return;
    atomic_store_explicit(&trace_malloc_gate, shut ? 0 : TINY_MAX + 1, memory_order_relaxed);
    atomic_store_explicit(&trace_free_gate, shut ? 0 : PAGEMAP_ROOTS, memory_order_relaxed);
}

static bool calls_recorded(const struct hak_trace_ops *ops)
{
    bool recorded = false;

    for (unsigned i = 0; i < HAK_LIBC_CALLS; i++)
        recorded |= *ops->call_state[i] != 0;
    return recorded;
}

static void look_at_gates(const struct hak_trace_ops *ops)
{
    bool calls = unlikely(config.libc_events) && calls_recorded(ops);

    if (unlikely(calls != atomic_load_explicit(&trace_calls_wanted, memory_order_relaxed)))
        atomic_store_explicit(&trace_calls_wanted, calls, memory_order_relaxed);
    gates_set(calls || *ops->state[HAK_EV_alloc] || *ops->state[HAK_EV_free]);
}

void trace_poll(void)
{
    const struct hak_trace_ops *ops = atomic_load_explicit(&listener_ops, memory_order_acquire);
    const void *to, *before;

    if (likely(!ops) || trace_inside || atomic_load_explicit(&unsettled, memory_order_acquire))
        return;
    look_at_gates(ops);
    if (unlikely(atomic_load_explicit(&announce_again, memory_order_relaxed)))
        announce_once_more(ops);
    to = listener_recorders(ops, HAK_EV_process_start);
    if (likely(to == atomic_load_explicit(&announced_to, memory_order_relaxed)))
        return;
    before = atomic_exchange_explicit(&announced_to, to, memory_order_relaxed);
    if (before == to || !to)
        return;
    /* Where another session knows it already, it is the same once more. */
    emit_process_start(ops, false, before ? 1 : 0);
    atomic_store_explicit(&announce_at, os_now_ns() + ANNOUNCE_NS, memory_order_relaxed);
    atomic_store_explicit(&announce_again, 1, memory_order_relaxed);
}

bool trace_attached(void)
{
    return atomic_load_explicit(&listener_ops, memory_order_relaxed) != NULL;
}

void trace_detach(void)
{
    atomic_store_explicit(&listener_ops, NULL, memory_order_release);
    atomic_store_explicit(&trace_calls_wanted, false, memory_order_relaxed);
    gates_set(false);
}

/* Of the calling thread's fork, from the first step to the last: two threads may fork at once. */
static TLS_FAST struct {
    sigset_t signals;
    bool told;   /* the tracer was */
    bool locked; /* attach_lock is ours */
    uint32_t parent;
} forking;

#define ATTACH_WAIT_NS 5000000000u

/* Waits until no other thread loads the tracer, for longer than LTTng waits for its daemon. Not for
 * ever: a fork in a library's constructor holds the loader's lock that the loading thread waits
 * for; then nothing of the tracer is there yet, and the fork may go on. */
static bool lock_attach(void)
{
    return lock_take_within(&attach_lock, ATTACH_WAIT_NS);
}

static void unlock_attach(bool child)
{
    if (forking.locked)
        lock_give(&attach_lock);
    else if (child)
        attach_lock = (struct lock){LOCK_FREE};
}

bool trace_is_attaching(void)
{
    return attaching;
}

void trace_forked_alone(void)
{
    born = os_now_ns();
    forked_from = os_parent();
}

static void before_fork(void)
{
    const struct hak_trace_ops *ops;

    forking.locked = lock_attach();
    ops = atomic_load_explicit(&listener_ops, memory_order_acquire);
    forking.told = ops != NULL;
    forking.parent = os_pid();
    if (ops)
        ops->before_fork(&forking.signals);
}

void trace_fork(enum fork_step step)
{
    if (step == FORK_LOCK)
        before_fork();
    else if (step == FORK_SEIZE)
        attach_lock = (struct lock){LOCK_FREE};
}

void trace_forked_unseen(void)
{
    trace_detach();
    trace_early_end();
    attaching = false;
    born = os_now_ns();
    forked_from = os_parent();
}

void trace_after_fork_parent(void)
{
    const struct hak_trace_ops *ops = atomic_load_explicit(&listener_ops, memory_order_acquire);

    if (forking.told && ops)
        ops->after_fork_parent(&forking.signals);
    unlock_attach(false);
}

void trace_after_fork_child(void)
{
    const struct hak_trace_ops *ops = atomic_load_explicit(&listener_ops, memory_order_acquire);

    /* Whoever was loading the tracer is not here. */
    if (!forking.locked)
        trace_early_end();
    unlock_attach(true);
    born = os_now_ns();
    forked_from = forking.parent;
    if (!forking.told || !ops)
        return;
    /* The tracer's new threads allocate before this one is back. */
    atomic_store_explicit(&unsettled, true, memory_order_relaxed);
    /* The tracer sets itself up anew and allocates: no transition before it can be told. */
    trace_inside = true;
    ops->after_fork_child(&forking.signals);
    trace_inside = false;
    emit_process_start(ops, false, 0);
    atomic_store_explicit(&unsettled, false, memory_order_release);
}

#else /* a flavour without listeners */

bool trace_attach(bool complete, bool loud)
{
    (void)complete, (void)loud;
    return false;
}

bool trace_attached(void)
{
    return false;
}

void trace_detach(void)
{
}

void trace_early_end(void)
{
}

void trace_poll(void)
{
}

bool trace_is_attaching(void)
{
    return false;
}

void trace_forked_alone(void)
{
}

void trace_forked_unseen(void)
{
}

void trace_fork(enum fork_step step)
{
    (void)step;
}

void trace_after_fork_parent(void)
{
}

void trace_after_fork_child(void)
{
}

#endif
