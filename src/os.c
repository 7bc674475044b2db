#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void *os_map(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

/* Unmapping a part of our own mapping can only fail when it would split a mapping beyond
 * vm.max_map_count; the part then stays mapped, unused and untouched. */
static void os_trim(uintptr_t from, uintptr_t to)
{
    int saved = errno;

    if (to > from)
        (void)munmap((void *)from, to - from);
    errno = saved;
}

void *os_map_aligned(size_t size, size_t align)
{
    const size_t slack = align - 4096;
    uintptr_t start, aligned;
    void *p = os_map(size);

    /* The kernel places mappings next to each other, so after the first one the plain request
     * is often aligned already: one call instead of three. */
    if (!p || ((uintptr_t)p & (align - 1)) == 0)
        return p;
    os_trim((uintptr_t)p, (uintptr_t)p + size);
    p = os_map(size + slack);
    if (!p)
        return NULL;
    start = (uintptr_t)p;
    aligned = align_up(start, align);
    os_trim(start, aligned);
    os_trim(aligned + size, start + size + slack);
    return (void *)aligned;
}

size_t os_purge(void *at, size_t size)
{
    int saved = errno;
    bool done = madvise(at, size, MADV_DONTNEED) == 0;

    errno = saved;
    return done ? size : 0;
}

uint64_t os_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint32_t os_tid(void)
{
    return (uint32_t)syscall(SYS_gettid);
}

void os_sleep_ns(uint32_t ns)
{
    struct timespec t = {.tv_nsec = ns};

    (void)syscall(SYS_nanosleep, &t, NULL);
}

void os_wait(_Atomic uint32_t *word, uint32_t value)
{
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void os_wake(_Atomic uint32_t *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

int os_open(const char *path)
{
    int saved = errno;
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);

    errno = saved;
    return (int)fd;
}

long os_read(int fd, void *to, size_t size)
{
    int saved = errno;
    long n;

    do
        n = syscall(SYS_read, fd, to, size);
    while (n < 0 && errno == EINTR);
    errno = saved;
    return n;
}

void os_close(int fd)
{
    int saved = errno;

    (void)syscall(SYS_close, fd);
    errno = saved;
}
