#include "descriptors.h"

#if HAK_INTERPOSE && HAK_TRACE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kernel.h"
#include "listener.h"
#include "os.h"
#include "symbols.h"

static struct {
    int (*close)(int);
    void (*closefrom)(int);
    int (*close_range)(unsigned, unsigned, int);
} next;

void descriptors_begin(void)
{
    /* POSIX gives function pointers through void *; ISO C does not. */
    *(void **)&next.closefrom = dlsym(RTLD_NEXT, "closefrom");
    *(void **)&next.close_range = dlsym(RTLD_NEXT, "close_range");
    *(void **)&next.close = dlsym(RTLD_NEXT, "close");
}

static const struct hak_trace_ops *tracer(void)
{
    return atomic_load_explicit(&listener_ops, memory_order_acquire);
}

/* Before our constructor there may be a close(), but nobody behind us whom it would concern. */
static int close_now(int fd)
{
    return next.close ? next.close(fd) : (int)kernel_call(SYS_close, fd);
}

EXPORT int close(int fd)
{
    const struct hak_trace_ops *ops = tracer();

    return unlikely(ops) ? ops->close(fd, close_now) : close_now(fd);
}

/* One of the kernel's answers to getdents64(). */
struct entry {
    uint64_t inode, offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

/* Closes those of our open descriptors from first to last, as /proc tells them; false if it does
 * not. */
static bool close_listed(const struct hak_trace_ops *ops, unsigned first, unsigned last)
{
    _Alignas(struct entry) char text[2048] = "";
    long list = kernel_call(SYS_openat, AT_FDCWD, "/proc/thread-self/fd",
                            O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long n;

    if (list < 0)
        return false;
    while ((n = kernel_call(SYS_getdents64, list, text, sizeof(text))) > 0) {
        for (long at = 0; at < n; at += ((struct entry *)(text + at))->length) {
            const char *name = ((struct entry *)(text + at))->name;
            unsigned long fd = strtoul(name, NULL, 10);

            if (*name != '.' && fd >= first && fd <= last && (long)fd != list)
                (void)ops->close((int)fd, close_now);
        }
    }
    (void)kernel_call(SYS_close, list);
    return true;
}

static void close_each(const struct hak_trace_ops *ops, unsigned first, unsigned last)
{
    int saved = errno;
    struct rlimit most = {0};

    if (!close_listed(ops, first, last)) {
        (void)kernel_call(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &most);
        for (unsigned fd = first; fd <= last && fd < most.rlim_cur && fd < INT32_MAX; fd++)
            (void)ops->close((int)fd, close_now);
    }
    errno = saved;
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
    const struct hak_trace_ops *ops = tracer();

    /* To be closed on exec is what the tracer's are already; and what is wrong, the kernel says. */
    if (likely(!ops) || first > last || (flags & ~(int)CLOSE_RANGE_UNSHARE))
        return next.close_range ? next.close_range(first, last, flags)
                                : (int)kernel_call(SYS_close_range, first, last, flags);
    if (flags && kernel_call(SYS_unshare, CLONE_FILES) != 0)
        return -1;
    close_each(ops, first, last);
    return 0;
}

EXPORT void closefrom(int first)
{
    const struct hak_trace_ops *ops = tracer();
    unsigned from = first < 0 ? 0 : (unsigned)first;

    if (unlikely(ops))
        close_each(ops, from, UINT32_MAX);
    else if (next.closefrom)
        next.closefrom(first);
    else
        (void)kernel_call(SYS_close_range, from, UINT32_MAX, 0);
}

/* Where the tracer's descriptors lie: scripts use the numbers up to 9 as they like, and dup2() asks
 * nobody. */
#define OUT_OF_THE_WAY 512

EXPORT int hak_descriptor_apart(int fd)
{
    struct rlimit most = {0};

    (void)kernel_call(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &most);
    return os_dup(fd, most.rlim_cur / 2 < OUT_OF_THE_WAY ? (int)most.rlim_cur / 2 : OUT_OF_THE_WAY);
}

static int moved(int fd)
{
    int high = hak_descriptor_apart(fd);

    if (high < 0)
        return fd;
    (void)kernel_call(SYS_close, fd);
    return high;
}

/* In front of LTTng's own function of this name, which notes one of its descriptors, and whose
 * answer is the number that it uses from then on. */
EXPORT int lttng_ust_add_fd_to_tracker(int fd);

EXPORT int lttng_ust_add_fd_to_tracker(int fd)
{
    static int (*_Atomic add)(int);
    int saved = errno;

    if (!atomic_load(&add))
        atomic_store(&add, (int (*)(int))symbols_beside(__builtin_return_address(0),
                                                        "liblttng-ust-common.so.1",
                                                        "lttng_ust_add_fd_to_tracker"));
    fd = moved(fd);
    errno = saved;
    return atomic_load(&add) ? atomic_load(&add)(fd) : fd;
}

#else
void descriptors_begin(void)
{
}
#endif
