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

#ifdef HAK_DEBUG
#define hak_assert(x) ((x) ? (void)0 : __builtin_trap())
#else
#define hak_assert(x) ((void)sizeof(!(x)))
#endif

static inline size_t align_up(size_t n, size_t a)
{
    return (n + a - 1) & ~(a - 1);
}

static inline bool is_pow2(size_t n)
{
    return n && !(n & (n - 1));
}

#endif
