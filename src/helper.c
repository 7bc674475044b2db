#include "helper.h"

#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "../tracepoints/seam.h"
#include "kernel.h"
#include "os.h"
#include "symbols.h"

TLS_FAST bool helper_here;

/* What the process began with. The program may confine the thread that happens to make a helper,
 * and means itself; and a filter of system calls that it installs may end it for one which the
 * filter does not know, as those that it was started under do not. */
static struct {
    long size;
    unsigned char cpus[128];
    uint64_t filters;
} first;

#define STATUS_MAX 4096

/* The number behind "name:" in this thread's /proc status; none without such a line. */
static uint64_t status(const char *text, const char *name, int base, uint64_t none)
{
    const char *line = strstr(text, name);

    return line ? strtoull(line + strlen(name), NULL, base) : none;
}

static bool read_status(char text[STATUS_MAX])
{
    int fd = os_open("/proc/thread-self/status");
    long n = -1;

    if (fd >= 0) {
        n = os_read(fd, text, STATUS_MAX - 1);
        os_close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static uint64_t filters(const char *text)
{
    return status(text, "\nSeccomp_filters:", 10, status(text, "\nSeccomp:", 10, 0));
}

void helper_init(void)
{
    int saved = errno;
    char text[STATUS_MAX];

    first.size = kernel_call(SYS_sched_getaffinity, 0, sizeof(first.cpus), first.cpus);
    if (kernel_call(SYS_prctl, PR_GET_SECCOMP) > 0 && read_status(text))
        first.filters = filters(text);
    errno = saved;
}

static void regain_cpus(void)
{
    unsigned char now[sizeof(first.cpus)];
    long size = kernel_call(SYS_sched_getaffinity, 0, sizeof(now), now);

    if (size > 0 && size == first.size && memcmp(now, first.cpus, (size_t)size) != 0)
        (void)kernel_call(SYS_sched_setaffinity, 0, size, first.cpus);
}

static void regain_priority(void)
{
    struct sched_param ordinary = {0};
    long policy = kernel_call(SYS_sched_getscheduler, 0) & ~SCHED_RESET_ON_FORK;

    if (policy == SCHED_FIFO || policy == SCHED_RR)
        (void)kernel_call(SYS_sched_setscheduler, 0, SCHED_OTHER, &ordinary);
    /* The kernel's answer is 20 less the niceness. */
    if (kernel_call(SYS_getpriority, PRIO_PROCESS, 0) > 20)
        (void)kernel_call(SYS_setpriority, PRIO_PROCESS, 0, 0);
}

/* The privileges, the priority and the CPUs of a helper are its own: a program drops its
 * capabilities, which each thread has for itself, without knowing of this one; and what it runs at
 * a real-time priority is not this. */
static void be_ordinary(enum helper_powers powers)
{
    static const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];
    struct __user_cap_header_struct self = {.version = _LINUX_CAPABILITY_VERSION_3};
    char text[STATUS_MAX];

    if (!read_status(text) || filters(text) != first.filters)
        return;
    regain_priority();
    regain_cpus();
    /* Where setuid() is not told to us, every thread must be allowed what the program's are. */
    if (HAK_INTERPOSE && powers == HELPER_POWERLESS && status(text, "\nCapPrm:", 16, 0) != 0)
        (void)kernel_call(SYS_capset, &self, none);
}

EXPORT void hak_helper_begin(void)
{
    helper_here = true;
    be_ordinary(HELPER_AS_WE);
}

static void *begin_powerless(void *run)
{
    helper_here = true;
    be_ordinary(HELPER_POWERLESS);
    return ((void *(*)(void *))run)(NULL);
}

static void *begin_as_we(void *run)
{
    hak_helper_begin();
    return ((void *(*)(void *))run)(NULL);
}

/* Of the C library's own signals: it waits for every thread to take the one of setuid(), and to be
 * cancelled is how a tracer's threads end. */
#define LIBC_SIGNALS (UINT64_C(3) << (32 - 1))

typedef int create_thread(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static create_thread *c_library_create(void)
{
#ifdef __SANITIZE_THREAD__
    /* ThreadSanitizer must know of every thread that runs code it has compiled. */
    return pthread_create;
#else
    return (create_thread *)symbols_libc("pthread_create");
#endif
}

bool helper_start(void *(*run)(void *), size_t stack, enum helper_powers powers)
{
    /* Not what others have put over it: such a function may allocate under a lock that the caller,
     * inside malloc, may hold; and this is no thread of the program's. */
    create_thread *create = c_library_create();
    uint64_t all = ~LIBC_SIGNALS, before;
    pthread_attr_t attr;
    pthread_t thread;
    bool made;

    if (!create)
        return false;
    (void)kernel_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof(all));
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (stack)
        pthread_attr_setstacksize(&attr, stack);
    made = create(&thread, &attr, powers == HELPER_AS_WE ? begin_as_we : begin_powerless,
                  (void *)(uintptr_t)run) == 0;
    pthread_attr_destroy(&attr);
    (void)kernel_call(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
    return made;
}
