/*
 * The allocator under stress: hakmem's own names where the program links it, and the standard
 * ones with -DPLAIN, for programs that are run with and without hakmem preloaded.
 */
#ifndef STRESS_ALLOC_H
#define STRESS_ALLOC_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef PLAIN
#include <malloc.h>
#define stress_malloc malloc
#define stress_calloc calloc
#define stress_realloc realloc
#define stress_memalign memalign
#define stress_free free
#define stress_usable malloc_usable_size
#else
#include "hakmem.h"
#define stress_malloc hak_malloc
#define stress_calloc hak_calloc
#define stress_realloc hak_realloc
#ifdef __SANITIZE_THREAD__
/* The system's malloc is ThreadSanitizer's here: it calls one byte of a block of none usable, and
 * then reports the use of it. */
#define stress_memalign(align, size) hak_memalign(align, (size) ? (size) : 1)
#else
#define stress_memalign hak_memalign
#endif
#define stress_free hak_free
#define stress_usable hak_malloc_usable_size
#endif

/* Says what was found, and how to find it again, and ends the process. */
__attribute__((format(printf, 1, 2), noreturn)) static inline void broken(const char *format, ...)
{
    extern uint64_t stress_seed;
    char text[400];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n > 0 && write(STDERR_FILENO, text, (size_t)n) == n)
        dprintf(STDERR_FILENO, " (pid %d, seed %lu)\n", getpid(), stress_seed);
    _exit(1);
}

/* Steele, Lea, Flood's splitmix64. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* The seed given on the command line, or one of the day. */
static inline uint64_t seed_of(const char *given)
{
    uint64_t state = (uint64_t)getpid() << 32;

    if (given && *given)
        return strtoul(given, NULL, 0);
    return random_next(&state) & 0xffffffff;
}

#endif
