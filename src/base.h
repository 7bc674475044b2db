/*
 * Words every box uses: branch hints, assertions, alignment. Owns nothing, needs no lock.
 */
#ifndef HAKMEM_BASE_H
#define HAKMEM_BASE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define NOINLINE __attribute__((noinline))
#define CACHE_LINE 64
/* For the two functions whose every fetched line counts. */
#define LINE_ALIGNED __attribute__((aligned(CACHE_LINE)))
/* For reading, for statistics, what another thread writes without atomics. */
#define NO_TSAN __attribute__((no_sanitize_thread))
/* For data that other files of the library read: found without the detour over the GOT. */
#define HIDDEN __attribute__((visibility("hidden")))
#define EXPORT __attribute__((visibility("default")))
/* The library is preloaded, never dlopened by the programs it serves: the cheap TLS model. */
#define TLS_FAST __thread __attribute__((tls_model("initial-exec")))

/* hak_check: a structure's own check, NAME_check(), which is compiled for debug flavours only. */
#ifdef HAK_DEBUG
#define hak_assert(x) ((x) ? (void)0 : log_assert(__FILE__, __LINE__, #x))
#define hak_check(call) (call)
/* log.c: says which assertion does not hold, and ends the process. */
_Noreturn void log_assert(const char *file, int line, const char *what);
#else
#define hak_assert(x) ((void)sizeof(!(x)))
#define hak_check(call) ((void)0)
#endif

/* Told of memory in which a box keeps its tables. */
typedef void table_each(const void *p, size_t size, void *arg);

/* A counter of what there is. */
static inline void count_down(_Atomic uint32_t *n, uint32_t by)
{
    uint32_t had = atomic_fetch_sub_explicit(n, by, memory_order_relaxed);

    hak_assert(had >= by);
    (void)had;
}

static inline size_t align_up(size_t n, size_t a)
{
    return (n + a - 1) & ~(a - 1);
}

static inline bool is_pow2(size_t n)
{
    return n && !(n & (n - 1));
}

#endif
