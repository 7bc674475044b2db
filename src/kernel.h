/*
 * System calls without the C library: its functions of the same names, syscall() too, can be
 * another preloaded library's, which allocates, waits for locks and asks for the time in them; and
 * most are cancellation points, which malloc and free must not be. No state, no lock; anyone may
 * call. os.h is what the allocator itself goes through.
 */
#ifndef HAKMEM_KERNEL_H
#define HAKMEM_KERNEL_H

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base.h"

#if defined(__clang_analyzer__)
/* It sees no writes of the kernel's behind assembly, and supposes them behind a call. */
long kernel_enter(long number, long a, long b, long c, long d, long e, long f);
#elif defined(__x86_64__)
static inline long kernel_enter(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
static inline long kernel_enter(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;

    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory", "cc");
    return x0;
}
#else
#error "no way into the kernel for this machine"
#endif

/* As syscall(): -1 and errno where the kernel refuses. */
static inline long kernel_answer(long result)
{
    if (unlikely((unsigned long)result > -4096ul)) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

#define KERNEL_CALL(number, a, b, c, d, e, f, ...) \
    kernel_answer(                                 \
        kernel_enter(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f)))
/* kernel_call(SYS_name, up to six arguments). */
#define kernel_call(...) KERNEL_CALL(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/* Memory. ThreadSanitizer keeps notes of every mapping, so in its flavour it must see them. */
#ifdef __SANITIZE_THREAD__
#define kernel_mmap mmap
#define kernel_munmap munmap
#define kernel_mremap mremap
#define kernel_madvise madvise
#else
static inline void *kernel_mmap(void *at, size_t size, int prot, int flags, int fd, long offset)
{
    return (void *)kernel_call(SYS_mmap, at, size, prot, flags, fd, offset);
}

static inline int kernel_munmap(void *at, size_t size)
{
    return (int)kernel_call(SYS_munmap, at, size);
}

static inline void *kernel_mremap(void *at, size_t from, size_t to, int flags, void *place)
{
    return (void *)kernel_call(SYS_mremap, at, from, to, flags, place);
}

static inline int kernel_madvise(void *at, size_t size, int advice)
{
    return (int)kernel_call(SYS_madvise, at, size, advice);
}
#endif

#endif
