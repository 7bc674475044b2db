/*
 * libhakmem-lttng.so: the only place that knows LTTng. It exports one table; libhakmem.so
 * dlopens this library where a recording is wanted and reads the table. What is called
 * of the allocator is malloc and its relatives, hak_helper_begin() as a thread of LTTng's begins,
 * hak_descriptor_apart() where LTTng calls in vain, and hak_trace_detach() when it is about to go.
 */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "hakmem_tp.h"
#include "libc_tp.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <lttng/ust-fork.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of liblttng-ust-common, for liblttng-ust-fd; no header declares it. */
int lttng_ust_safe_close_fd(int fd, int (*close_fd)(int fd));

static int close_for_program(int fd, int (*close_fd)(int fd));
static void after_fork_child(sigset_t *saved);

#define HAK_EVENT(name, ...)                                                     \
    static void emit_##name(const void *event)                                   \
    {                                                                            \
        lttng_ust_tracepoint(hakmem, name, (const struct hak_ev_##name *)event); \
    }
#include "events.def"
#undef HAK_EVENT

#define HAK_LIBC_CALL(name, ...)                                                           \
    static void emit_call_##name(const void *event)                                        \
    {                                                                                      \
        lttng_ust_tracepoint(lttng_ust_libc, name, (const struct hak_libc_##name *)event); \
    }
#include "libc.def"
#undef HAK_LIBC_CALL

__attribute__((visibility("default"))) const struct hak_trace_ops hakmem_trace_ops = {
    .abi = HAK_TRACE_ABI,
    .events = HAK_EVENTS,
#define HAK_EVENT(name, ...) .emit[HAK_EV_##name] = emit_##name,
#include "events.def"
#undef HAK_EVENT
#define HAK_EVENT(name, ...) .state[HAK_EV_##name] = &lttng_ust_tracepoint_hakmem___##name.state,
#include "events.def"
#undef HAK_EVENT
/* LTTng makes the list of an event's recorders anew for each that comes or goes. */
#define HAK_EVENT(name, ...)    \
    .recorders[HAK_EV_##name] = \
        (void *const volatile *)&lttng_ust_tracepoint_hakmem___##name.probes,
#include "events.def"
#undef HAK_EVENT
#define HAK_LIBC_CALL(name, ...) .emit_call[HAK_LIBC_##name] = emit_call_##name,
#include "libc.def"
#undef HAK_LIBC_CALL
#define HAK_LIBC_CALL(name, ...) \
    .call_state[HAK_LIBC_##name] = &lttng_ust_tracepoint_lttng_ust_libc___##name.state,
#include "libc.def"
#undef HAK_LIBC_CALL
    .before_fork = lttng_ust_before_fork,
    .after_fork_parent = lttng_ust_after_fork_parent,
    .after_fork_child = after_fork_child,
    .close = close_for_program,
};

/* ---- in front of LTTng ----
 *
 * Opened with RTLD_DEEPBIND, this library comes first where LTTng looks its functions up, then
 * libhakmem.so for malloc and its relatives, then the C library: nobody else meets these. */

/* Sockets that nobody answered, at high numbers; 0: none. Where there was a daemon once, LTTng
 * calls again every five seconds, and a socket made for each call would for a moment have the
 * number that the program's next file gets. LTTng calls, and closes for the program, under a lock
 * of its own. */
static _Atomic int unanswered[4];
static _Atomic unsigned in_vain; /* threads that have called so */
static _Thread_local _Atomic int *mine;
static _Thread_local int lent;

static bool is_unanswered(int fd)
{
    for (unsigned i = 0; i < sizeof(unanswered) / sizeof(unanswered[0]); i++)
        if (fd > 0 && fd == atomic_load(&unanswered[i]))
            return true;
    return false;
}

/* Its descriptors are its own. libhakmem's close() would ask whose, and go on to one that another
 * library may have put behind it. */
__attribute__((visibility("default"))) int close(int fd)
{
    return is_unanswered(fd) ? 0 : (int)syscall(SYS_close, fd);
}

__attribute__((visibility("default"))) int socket(int domain, int type, int protocol)
{
    lent = mine && domain == AF_UNIX ? atomic_exchange(mine, 0) : 0;
    return lent ? lent : (int)syscall(SYS_socket, domain, type, protocol);
}

/* LTTng is about to close what it has called with. */
static void keep(int fd)
{
    if (!mine) {
        unsigned i = atomic_fetch_add(&in_vain, 1);

        if (i >= sizeof(unanswered) / sizeof(unanswered[0]))
            return;
        mine = &unanswered[i];
    }
    if (fd != lent)
        fd = hak_descriptor_apart(fd);
    if (fd > 0)
        atomic_store(mine, fd);
}

__attribute__((visibility("default"))) int connect(int fd, const struct sockaddr *to,
                                                   socklen_t length)
{
    int result = (int)syscall(SYS_connect, fd, to, length), saved = errno;

    if (result != 0 && to->sa_family == AF_UNIX)
        keep(fd);
    errno = saved;
    return result;
}

static int (*_Atomic program_s_close)(int fd);

static int close_but_unanswered(int fd)
{
    if (!is_unanswered(fd))
        return atomic_load(&program_s_close)(fd);
    errno = EBADF;
    return -1;
}

static int close_for_program(int fd, int (*close_fd)(int fd))
{
    atomic_store(&program_s_close, close_fd);
    return lttng_ust_safe_close_fd(fd, close_but_unanswered);
}

/* The parent's are the same sockets: who connects one connects it for both. */
static void after_fork_child(sigset_t *saved)
{
    for (unsigned i = 0; i < sizeof(unanswered) / sizeof(unanswered[0]); i++) {
        int fd = atomic_exchange(&unanswered[i], 0);

        if (fd)
            (void)syscall(SYS_close, fd);
    }
    atomic_store(&in_vain, 0);
    lttng_ust_after_fork_child(saved);
}

typedef char *get_variable(const char *);

/* LTTng asks for its variables once and goes by the answers in forked children, when the program
 * may have written a title over them long ago, as nginx does: it has copies. Nobody else asks, so
 * that they find room; what does not stays where it is. */
__attribute__((visibility("default"))) char *getenv(const char *name)
{
    static char room[4096];
    static _Atomic size_t used;
    get_variable *get = (get_variable *)dlsym(RTLD_NEXT, "getenv");
    char *value = get ? get(name) : NULL;
    size_t size = value ? strlen(value) + 1 : 0, at;

    if (!value || size > sizeof(room))
        return value;
    at = atomic_fetch_add(&used, size);
    return at + size <= sizeof(room) ? memcpy(room + at, value, size) : value;
}

/* What threads that are about to begin will do. Not a block of malloc's: it would be freed by
 * another thread than had it. LTTng makes two, one after the other. */
static struct start {
    _Atomic bool taken;
    void *(*run)(void *);
    void *arg;
} starts[8];

static struct start *start_take(void)
{
    for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        if (!atomic_exchange(&starts[i].taken, true))
            return &starts[i];
    return NULL;
}

static void *begin(void *arg)
{
    struct start *start = arg;
    void *(*run)(void *) = start->run;
    void *with = start->arg;

    atomic_store(&start->taken, false);
    hak_helper_begin();
    return run(with);
}

typedef int create_thread(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

/* Its threads are no more the program's than libhakmem's own. */
__attribute__((visibility("default"))) int pthread_create(pthread_t *thread,
                                                          const pthread_attr_t *attr,
                                                          void *(*run)(void *), void *arg)
{
    static create_thread *_Atomic found;
    create_thread *create = found;
    struct start *start;
    int error;

    /* Once, by LTTng's constructor: in a forked child the loader's lock may be nobody's. */
    if (!create)
        found = create = (create_thread *)dlsym(RTLD_NEXT, "pthread_create");
    start = create ? start_take() : NULL;
    if (!start)
        return EAGAIN;
    start->run = run;
    start->arg = arg;
    error = create(thread, attr, begin, start);
    if (error)
        atomic_store(&start->taken, false);
    return error;
}

/* At exit LTTng cancels its threads. For the first cancellation the C library loads its unwinder,
 * and ends the process by abort() where memory has ended; so it is loaded now. */
__attribute__((constructor)) static void provider_init(void)
{
    void *frame;

    (void)backtrace(&frame, 1);
}

/* LTTng's own destructor runs after ours (we depend on it): stop before it tears down. */
__attribute__((destructor)) static void provider_fini(void)
{
    hak_trace_detach();
}
