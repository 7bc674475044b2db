#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vg.h"

static struct {
    _Atomic uint32_t fault; /* an os_fault(), 0: none */
    _Atomic uint32_t maps;  /* maps since it was set */
} inject;

void os_fail_maps(uint32_t fault)
{
    atomic_store_explicit(&inject.maps, 0, memory_order_relaxed);
    atomic_store_explicit(&inject.fault, fault, memory_order_relaxed);
}

static NOINLINE bool fails(uint32_t fault)
{
    uint32_t n = atomic_fetch_add_explicit(&inject.maps, 1, memory_order_relaxed) + 1;
    uint32_t at = os_fault_n(fault);
    /* The upper bits of Fibonacci hashing are as even as a test needs. */
    bool yes = os_fault_kind(fault) == OS_FAULT_NTH    ? n == at
               : os_fault_kind(fault) == OS_FAULT_FROM ? n >= at
                                                       : (n * 0x9e3779b97f4a7c15u >> 33) % 100 < at;

    if (yes)
        errno = ENOMEM;
    return yes;
}

/* Asked before every map. */
static bool injected(void)
{
    uint32_t fault = atomic_load_explicit(&inject.fault, memory_order_relaxed);

    return unlikely(fault) && fails(fault);
}

static _Atomic uint64_t mapped;

static void count_mapped(uint64_t more)
{
    atomic_fetch_add_explicit(&mapped, more, memory_order_relaxed);
}

uint64_t os_mapped_bytes(void)
{
    return atomic_load_explicit(&mapped, memory_order_relaxed);
}

void *os_map(size_t size)
{
    void *p;

    if (injected())
        return NULL;
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    count_mapped(size);
    return p;
}

bool os_unmap(void *p, size_t size)
{
    int saved = errno;
    bool done = (vg_maps() && vg_unmap(p)) || munmap(p, size) == 0;

    if (done)
        count_mapped(-(uint64_t)size);

    errno = saved;
    return done;
}

bool os_remap(void *p, size_t from, size_t to, void *place)
{
    if (vg_maps()) {
        errno = ENOMEM;
        return false;
    }
    /* The map of the place was asked about already. */
    if (to > from && !place && injected())
        return false;
    if ((place ? mremap(p, from, to, MREMAP_MAYMOVE | MREMAP_FIXED, place)
               : mremap(p, from, to, 0)) == MAP_FAILED)
        return false;
    /* A place was counted when it was mapped. */
    count_mapped(place ? -(uint64_t)from : (uint64_t)to - from);
    return true;
}

/* What cannot be trimmed stays mapped, unused and untouched. */
static void os_trim(uintptr_t from, uintptr_t to)
{
    if (to > from)
        (void)os_unmap((void *)from, to - from);
}

void *os_map_aligned(size_t size, size_t align)
{
    const size_t slack = align - 4096;
    uintptr_t start, aligned;
    void *p;

    if (vg_maps()) {
        p = injected() ? NULL : vg_map(size, align);
        if (p)
            count_mapped(size);
        return p;
    }
    p = os_map(size);
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

bool os_wipe_on_fork(void *at, size_t size)
{
    int saved = errno;
    bool done = madvise(at, size, MADV_WIPEONFORK) == 0;

    errno = saved;
    return done;
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

uint32_t os_pid(void)
{
    return (uint32_t)syscall(SYS_getpid);
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
