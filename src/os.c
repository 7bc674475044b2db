#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "kept.h"
#include "kernel.h"
#include "symbols.h"

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

static _Atomic size_t page;

size_t os_page(void)
{
    size_t bytes = atomic_load_explicit(&page, memory_order_relaxed);

    if (unlikely(!bytes)) {
        bytes = getauxval(AT_PAGESZ);
        bytes = bytes ? bytes : 4096;
        atomic_store_explicit(&page, bytes, memory_order_relaxed);
    }
    return bytes;
}

void os_pretend_page(size_t bytes)
{
    atomic_store_explicit(&page, bytes, memory_order_relaxed);
}

/* Near `at` if that is free, 0: anywhere. NULL with errno. */
static void *map_near(uintptr_t at, size_t size)
{
    void *p;

    if (injected())
        return NULL;
    p = kernel_mmap((void *)at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    count_mapped(size);
    return p;
}

void *os_map(size_t size)
{
    void *p;

    size = align_up(size, os_page());
    p = kept_take(size, os_page());
    return p ? p : map_near(0, size);
}

bool os_unmap_now(void *p, size_t size)
{
    int saved = errno;
    bool done = kernel_munmap(p, size) == 0;

    if (done)
        count_mapped(-(uint64_t)size);
    errno = saved;
    return done;
}

bool os_unmap(void *p, size_t size)
{
    size = align_up(size, os_page());
    if (os_unmap_now(p, size))
        return true;
    kept_put(p, size);
    return false;
}

static bool protect(void *p, size_t size, int how)
{
    int saved = errno;
    bool done = kernel_call(SYS_mprotect, p, size, how) == 0;

    errno = saved;
    return done;
}

bool os_writable(void *p, size_t size)
{
    return protect(p, size, PROT_READ | PROT_WRITE);
}

bool os_forbid(void *p, size_t size)
{
    return protect(p, size, PROT_NONE);
}

/* Is the word at p readable and of that value? Asked of the kernel, which finds out without a
 * fault: what was mapped there may be gone, or somebody else's by now. */
static bool still_holds(void *p, uint32_t value)
{
    static const struct timespec at_once;

    return kernel_call(SYS_futex, p, FUTEX_WAIT_PRIVATE, value, &at_once, NULL, 0) != 0 &&
           errno == ETIMEDOUT;
}

/* The kernel unmaps the place before it knows whether it can move something there. So the place
 * holds a word that tells whether it is still ours. */
static bool move_to(void *p, size_t from, size_t to, void *place)
{
    uint32_t word = (uint32_t)os_now_ns() ^ (uint32_t)((uintptr_t)place >> 12);
    int err;

    *(uint32_t *)place = word;
    if (kernel_mremap(p, from, to, MREMAP_MAYMOVE | MREMAP_FIXED, place) != MAP_FAILED) {
        /* The place was counted when it was mapped. */
        count_mapped(-(uint64_t)from);
        return true;
    }
    err = errno;
    if (still_holds(place, word))
        (void)os_unmap(place, to);
    else
        count_mapped(-(uint64_t)to);
    errno = err;
    return false;
}

bool os_remap(void *p, size_t from, size_t to, void *place)
{
    if (place)
        return move_to(p, from, to, place);
    if (to < from) {
        (void)os_unmap((char *)p + to, from - to);
        return true;
    }
    if (injected() || kernel_mremap(p, from, to, 0, NULL) == MAP_FAILED)
        return false;
    count_mapped((uint64_t)to - from);
    return true;
}

static void unmap_between(uintptr_t from, uintptr_t to)
{
    if (to > from)
        (void)os_unmap((void *)from, to - from);
}

/* Anywhere within enough for any place. */
static void *map_and_trim(size_t size, size_t align)
{
    size_t slack = align - os_page();
    void *p = map_near(0, size + slack);
    uintptr_t start = (uintptr_t)p, aligned = align_up(start, align);

    if (!p)
        return NULL;
    unmap_between(start, aligned);
    unmap_between(aligned + size, start + size + slack);
    return (void *)aligned;
}

static bool is_aligned(const void *p, size_t align)
{
    return ((uintptr_t)p & (align - 1)) == 0;
}

void *os_map_aligned(size_t size, size_t align)
{
    void *p;

    size = align_up(size, os_page());
    p = kept_take(size, align);
    if (p)
        return p;
    /* The kernel places mappings below each other: after the first one the plain request is often
     * aligned already, and otherwise the next place below is free. */
    p = map_near(0, size);
    if (!p || is_aligned(p, align))
        return p;
    (void)os_unmap(p, size);
    p = map_near((uintptr_t)p & -align, size);
    if (!p || is_aligned(p, align))
        return p;
    (void)os_unmap(p, size);
    return map_and_trim(size, align);
}

/* Some emulators answer that they gave pages back and did not: the first page of the first purge
 * shows it. */
enum purging { PURGING_UNTRIED, PURGING_ZEROES, PURGING_KEEPS };

static bool gives_zeros(char *at, size_t size)
{
    static _Atomic int purging;
    int how = atomic_load_explicit(&purging, memory_order_relaxed);

    if (likely(how == PURGING_ZEROES))
        return kernel_madvise(at, size, MADV_DONTNEED) == 0;
    if (how == PURGING_KEEPS)
        return false;
    *(volatile char *)at = 1;
    if (kernel_madvise(at, size, MADV_DONTNEED) != 0)
        return false;
    how = *(volatile char *)at ? PURGING_KEEPS : PURGING_ZEROES;
    atomic_store_explicit(&purging, how, memory_order_relaxed);
    /* Once more, since the look has brought a page back. */
    return how == PURGING_ZEROES && kernel_madvise(at, size, MADV_DONTNEED) == 0;
}

size_t os_purge(void *at, size_t size)
{
    uintptr_t from = align_up((uintptr_t)at, os_page());
    uintptr_t to = ((uintptr_t)at + size) & -(uintptr_t)os_page();
    int saved = errno;
    bool done = to > from && gives_zeros((char *)from, to - from);

    errno = saved;
    return done ? to - from : 0;
}

bool os_wipe_on_fork(void *at, size_t size)
{
    int saved = errno;
    bool done = kernel_madvise(at, size, MADV_WIPEONFORK) == 0;

    errno = saved;
    return done;
}

bool os_secure(void)
{
    return getauxval(AT_SECURE) != 0;
}

const char *os_env(const char *name)
{
    size_t len = strlen(name);

    if (!environ || os_secure())
        return NULL;
    for (char **entry = environ; *entry; entry++)
        if (!strncmp(*entry, name, len) && (*entry)[len] == '=')
            return *entry + len + 1;
    return NULL;
}

static int ask_for_the_time(clockid_t clock, struct timespec *t)
{
    return (int)kernel_call(SYS_clock_gettime, clock, t);
}

static int find_clock(clockid_t clock, struct timespec *t);

/* The kernel's function in the process, or the system call where there is none. */
static int (*_Atomic read_clock)(clockid_t, struct timespec *) = find_clock;

static int find_clock(clockid_t clock, struct timespec *t)
{
#ifdef __aarch64__
    void *found = symbols_vdso("__kernel_clock_gettime");
#else
    void *found = symbols_vdso("__vdso_clock_gettime");
#endif
    int (*read)(clockid_t, struct timespec *) = ask_for_the_time;

    if (found)
        read = (int (*)(clockid_t, struct timespec *))found;
    atomic_store_explicit(&read_clock, read, memory_order_relaxed);
    return read(clock, t);
}

uint64_t os_now_ns(void)
{
    struct timespec t;

    (void)atomic_load_explicit(&read_clock, memory_order_relaxed)(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint32_t os_tid(void)
{
    return (uint32_t)kernel_call(SYS_gettid);
}

uint32_t os_pid(void)
{
    return (uint32_t)kernel_call(SYS_getpid);
}

uint32_t os_parent(void)
{
    return (uint32_t)kernel_call(SYS_getppid);
}

void os_yield(void)
{
    (void)kernel_call(SYS_sched_yield);
}

void os_sleep_ns(uint32_t ns)
{
    struct timespec t = {.tv_nsec = ns};

    (void)kernel_call(SYS_nanosleep, &t, NULL);
}

void os_wait(_Atomic uint32_t *word, uint32_t value)
{
    (void)kernel_call(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void os_wait_within(_Atomic uint32_t *word, uint32_t value, uint32_t ns)
{
    struct timespec t = {.tv_nsec = ns};

    (void)kernel_call(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &t, NULL, 0);
}

void os_wake(_Atomic uint32_t *word)
{
    (void)kernel_call(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

struct os_file os_file_of(int fd)
{
    int saved = errno;
    struct stat st;
    struct os_file file = {0};

    if (kernel_call(SYS_fstat, fd, &st) == 0)
        file = (struct os_file){st.st_dev, st.st_ino, st.st_mode & S_IFMT};
    errno = saved;
    return file;
}

int os_dup(int fd, int from)
{
    int saved = errno;
    long copy = kernel_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, from);

    errno = saved;
    return (int)copy;
}

bool os_listens(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    int saved = errno;
    bool there = false;
    long fd;

    if (len && len < sizeof(address.sun_path) &&
        kernel_call(SYS_faccessat, AT_FDCWD, path, W_OK) == 0 &&
        (fd = kernel_call(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) >=
            0) {
        memcpy(address.sun_path, path, len);
        there = kernel_call(SYS_connect, fd, &address, sizeof(address)) == 0;
        (void)kernel_call(SYS_close, fd);
    }
    errno = saved;
    return there;
}

int os_open(const char *path)
{
    int saved = errno;
    long fd = kernel_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);

    errno = saved;
    return (int)fd;
}

long os_read(int fd, void *to, size_t size)
{
    int saved = errno;
    long n;

    do
        n = kernel_call(SYS_read, fd, to, size);
    while (n < 0 && errno == EINTR);
    errno = saved;
    return n;
}

void os_close(int fd)
{
    int saved = errno;

    (void)kernel_call(SYS_close, fd);
    errno = saved;
}
