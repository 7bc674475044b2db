#include "thread.h"

#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "ace.h"
#include "ace_cache.h"
#include "config.h"
#include "kernel.h"
#include "lock.h"
#include "os.h"
#include "owner.h"
#include "pool.h"
#include "registry.h"
#include "tick.h"
#include "tiny.h"
#include "vg.h"

/* Bytes of one class that a list may hold, and the least and most blocks. */
#define SLL_BYTES (64 * 1024)
#define SLL_MIN 32
#define SLL_MAX 256
#define FIRST_BATCH 4

static struct {
    struct lock lock;
    pthread_key_t key;
    bool keyed; /* there was a key left: otherwise the key is the program's */
    struct owner *idle;
    _Atomic(struct owner *) all;
    _Atomic uint32_t live;
    _Atomic uint32_t helpers; /* of those */
    bool orphaned;            /* the process was forked beside threads of the program's */
    uint32_t last_id;
    pthread_t first; /* the program's, or one that its libraries' constructors made */
    /* The descriptor of the thread that the process began with lies on no stack, but in a mapping
     * of the loader's, to which the kernel adds others' blocks that come to lie next to it. */
    uintptr_t loaders;
} threads;

static struct owner *owner_get(void)
{
    struct owner *o;

    if (!lost_take(&threads.lock))
        return NULL;
    o = threads.idle;
    if (o) {
        threads.idle = o->next_idle;
    } else {
        o = os_map(sizeof(*o));
        if (o) {
            owner_init(o, ++threads.last_id);
            o->next_all = atomic_load_explicit(&threads.all, memory_order_relaxed);
            atomic_store(&threads.all, o);
        }
    }
    if (o)
        o->lists = &tls;
    lock_give(&threads.lock);
    return o;
}

static void owner_put(struct owner *o)
{
    if (!lost_take(&threads.lock)) {
        o->lists = NULL;
        return;
    }
    o->tid = 0;
    o->lists = NULL;
    atomic_store_explicit(&o->descriptor, 0, memory_order_relaxed);
    o->next_idle = threads.idle;
    threads.idle = o;
    lock_give(&threads.lock);
}

static void set_limits(void)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        uint32_t limit = SLL_BYTES / geometry[c].stride;

        limit = limit < SLL_MIN ? SLL_MIN : limit > SLL_MAX ? SLL_MAX : limit;
        /* Only the fast path reads magic, which nobody takes under Valgrind: there these numbers
         * are such as blocks have for addresses, and would hide leaks. */
        tls.sll[c] = (struct sll){.key = word_key[c],
                                  .magic = vg_on() ? 0 : geometry[c].magic,
                                  .room = (int32_t)limit,
                                  .tag = owner_tag(tls.owner, c)};
        tls.limit[c] = (uint16_t)limit;
        tls.batch[c] = FIRST_BATCH;
    }
}

/* The key's destructor. Destructors that run later may still allocate and free: the thread is
 * DEAD to the tiny path then, which serves it without lists. */
static void thread_end(void *owner)
{
    struct owner *o = owner;
    uint32_t published;

    lost_enter();
    vg_enter();
    tiny_drain();
    ace_drain();
    for (unsigned c = 0; c < CLASSES; c++)
        tls.sll[c] = (struct sll){0};
    tls.state = THREAD_DEAD;
    tls.owner = NULL;
    published = owner_publish_all(o);
    trace_thread_exit(o->id, o->tid, published);
    owner_put(o);
    tick_want();
    /* Is the helper the last one left? It must not sleep for ever then. */
    if (atomic_fetch_sub_explicit(&threads.live, 1, memory_order_relaxed) == 2)
        tick_wake();
    vg_leave();
    lost_leave();
}

void thread_init(void)
{
    threads.first = pthread_self();
    if (os_tid() == os_pid())
        threads.loaders = (uintptr_t)threads.first;
    threads.keyed = pthread_key_create(&threads.key, thread_end) == 0;
}

bool thread_begin(void)
{
    struct owner *o;

    /* Nobody would tell us of the thread's end; the first one's is the process's. */
    if (!threads.keyed && !pthread_equal(pthread_self(), threads.first))
        return false;
    if (tls.state == THREAD_DEAD)
        return false;
    o = owner_get();
    if (!o)
        return false;
    o->tid = os_tid();
    atomic_store_explicit(&o->descriptor, (uintptr_t)pthread_self(), memory_order_relaxed);
    tls.owner = o;
    tls.state = THREAD_LIVE;
    atomic_fetch_add_explicit(&threads.live, 1, memory_order_relaxed);
    set_limits();
    trace_thread_start(o->id, o->tid);
    /* May allocate, which works from here on. */
    if (threads.keyed)
        pthread_setspecific(threads.key, o);
    return true;
}

/* Frees of a thread that has not begun, before it does. */
#define FREES_TO_BEGIN 16u

bool thread_begin_to_free(void)
{
    static TLS_FAST uint32_t frees;

    return (pthread_equal(pthread_self(), threads.first) || ++frees > FREES_TO_BEGIN) &&
           thread_begin();
}

uint32_t thread_live(void)
{
    return atomic_load_explicit(&threads.live, memory_order_relaxed);
}

void thread_is_helper(bool is)
{
    atomic_fetch_add(&threads.helpers, is ? 1 : -1u);
}

bool thread_may_be_made(void)
{
    return !threads.orphaned || thread_live() > 1;
}

/* Another thread's: it changes its lists meanwhile, and this is for statistics. */
NO_TSAN static uint64_t parked(const struct tls *of, unsigned cls)
{
    int64_t n = (int64_t)of->limit[cls] - of->sll[cls].room + of->away[cls].count;

    return n < 0 ? 0 : (uint64_t)n;
}

/* What pthread_getcpuclockid() would ask of the kernel, of which it needs a pthread_t. */
static uint64_t cpu_ns(uint32_t tid)
{
    struct timespec t;

    if (kernel_call(SYS_clock_gettime, ~tid << 3 | 6, &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The lock keeps the thread, and with it its lists, from ending. */
static bool take_stock(struct owner *o, struct thread_stock *stock)
{
    bool lives;

    lock_take(&threads.lock);
    lives = o->lists != NULL;
    *stock = (struct thread_stock){.owner = o->id, .tid = o->tid};
    for (unsigned c = 0; lives && c < CLASSES; c++)
        stock->parked[c] = parked(o->lists, c);
    lock_give(&threads.lock);
    return lives;
}

NO_TSAN void thread_each(void (*tell)(const struct thread_stock *stock, void *arg), void *arg)
{
    int saved = errno;

    for (struct owner *o = atomic_load(&threads.all); o; o = o->next_all) {
        struct thread_stock stock;

        if (!take_stock(o, &stock))
            continue;
        stock.cached = o->ace ? cache_kept(o->ace) : 0;
        stock.cpu_ns = cpu_ns(stock.tid);
        tell(&stock, arg);
    }
    errno = saved;
}

void thread_samples(unsigned cls, uint64_t *samples, uint64_t *bytes)
{
    *samples = *bytes = 0;
    for (struct owner *o = atomic_load(&threads.all); o; o = o->next_all) {
        *samples += atomic_load_explicit(&o->cls[cls].samples, memory_order_relaxed);
        *bytes += atomic_load_explicit(&o->cls[cls].sampled, memory_order_relaxed);
    }
}

void thread_tables(table_each *each, void *arg)
{
    for (struct owner *o = atomic_load(&threads.all); o; o = o->next_all) {
        each(o, sizeof(*o), arg);
        if (o->ace)
            each(o->ace, sizeof(*o->ace), arg);
    }
}

bool thread_all_past(uint64_t epoch)
{
    for (struct owner *o = atomic_load(&threads.all); o; o = o->next_all) {
        uint64_t began = atomic_load(&o->looking);

        if (began && began <= epoch)
            return false;
    }
    return true;
}

bool thread_descriptor_in(uintptr_t from, uintptr_t to)
{
    /* The caller may be a thread that has not begun for us. */
    uintptr_t own = (uintptr_t)pthread_self();

    if (own != threads.loaders && own >= from && own < to)
        return true;
    for (struct owner *o = atomic_load(&threads.all); o; o = o->next_all) {
        uintptr_t at = atomic_load_explicit(&o->descriptor, memory_order_relaxed);

        if (at != threads.loaders && at >= from && at < to)
            return true;
    }
    return false;
}

void thread_forked_alone(void)
{
    if (tls.owner)
        tls.owner->tid = os_tid();
}

/* Of all threads only this one is here. */
static void begin_anew(void)
{
    uint32_t mine = tls.state == THREAD_LIVE;

    threads.first = pthread_self();
    threads.idle = NULL;
    for (struct owner *o = atomic_load(&threads.all); o; o = o->next_all) {
        if (o == tls.owner)
            continue;
        pool_left(o);
        atomic_store_explicit(&o->descriptor, 0, memory_order_relaxed);
        o->gone = true;
    }
    threads.orphaned |= thread_live() > mine + atomic_exchange(&threads.helpers, 0);
    atomic_store_explicit(&threads.live, mine, memory_order_relaxed);
    if (tls.owner) {
        tls.owner->tid = os_tid();
        owner_after_fork(tls.owner);
    }
}

void thread_each_gone(void (*each)(const struct tls *lists))
{
    for (struct owner *o = atomic_load(&threads.all); o; o = o->next_all)
        if (o->gone && o->lists)
            each(o->lists);
}

void thread_gone_serve_again(void)
{
    for (struct owner *o = atomic_load(&threads.all); o; o = o->next_all)
        if (o->gone) {
            if (o->tid)
                trace_thread_exit(o->id, o->tid, o->left);
            owner_begin_anew(o);
            owner_put(o);
        }
}

void thread_fork(enum fork_step step)
{
    if (step == FORK_CHILD)
        begin_anew();
    (void)lost_step(&threads.lock, step);
}
