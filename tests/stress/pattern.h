/*
 * What a live block holds: a pattern made of its address and size, so that a block that was moved,
 * handed out twice or written by its neighbour is seen. A parcel is a block on its way.
 */
#ifndef STRESS_PATTERN_H
#define STRESS_PATTERN_H

#include <string.h>

#include "alloc.h"

struct parcel {
    unsigned char *p;
    size_t size;   /* as asked for */
    size_t filled; /* bytes that bear the pattern: up to the usable size */
};

static inline uint64_t pattern_word(const struct parcel *a, size_t i)
{
    return ((uint64_t)(uintptr_t)a->p ^ a->size << 48) + i * 0x9e3779b97f4a7c15u;
}

/* Byte i, which is part of the word at i rounded down. */
static inline unsigned char pattern_byte(const struct parcel *a, size_t i)
{
    return (unsigned char)(pattern_word(a, i & ~(size_t)7) >> 8 * (i & 7));
}

/* Fills the block to the last byte that the allocator says is the user's. */
static inline void pattern_fill(struct parcel *a)
{
    size_t i;

    a->filled = stress_usable(a->p);
    if (a->filled < a->size)
        broken("%p: asked for %zu bytes, usable %zu", (void *)a->p, a->size, a->filled);
    for (i = 0; i + 8 <= a->filled; i += 8) {
        uint64_t w = pattern_word(a, i);

        memcpy(a->p + i, &w, 8);
    }
    for (; i < a->filled; i++)
        a->p[i] = pattern_byte(a, i);
}

/* Checks the first n bytes at p for the pattern of a. */
static inline void pattern_check(const struct parcel *a, const unsigned char *p, size_t n)
{
    size_t i;

    for (i = 0; i + 8 <= n; i += 8) {
        uint64_t w;

        memcpy(&w, p + i, 8);
        if (w != pattern_word(a, i))
            broken("%p, %zu bytes: offset %zu holds %016lx, written was %016lx", (void *)a->p,
                   a->size, i, w, pattern_word(a, i));
    }
    for (; i < n; i++)
        if (p[i] != pattern_byte(a, i))
            broken("%p, %zu bytes: offset %zu of the tail was overwritten", (void *)a->p, a->size,
                   i);
}

static inline void zero_check(const struct parcel *a)
{
    for (size_t i = 0; i < a->size; i++)
        if (a->p[i])
            broken("%p: calloc of %zu bytes is not zero at %zu", (void *)a->p, a->size, i);
}

#endif
