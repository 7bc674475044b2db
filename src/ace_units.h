/*
 * Bit maps of a region's units. Pure functions.
 */
#ifndef HAKMEM_ACE_UNITS_H
#define HAKMEM_ACE_UNITS_H

#include "ace_space.h"

/* The first unit from at on that is set (or clear) in map; REGION_UNITS if none is. */
static inline unsigned next_unit(const uint64_t *map, unsigned at, bool set)
{
    while (at < REGION_UNITS) {
        uint64_t word = (set ? map[at / 64] : ~map[at / 64]) >> at % 64;

        if (word)
            return at + (unsigned)__builtin_ctzl(word);
        at = (at | 63) + 1;
    }
    return REGION_UNITS;
}

/* The end of the last used unit before at; unit 0 is always used. */
static inline unsigned run_start(const uint64_t *map, unsigned at)
{
    for (unsigned w = at / 64;; w--) {
        uint64_t word = map[w];

        if (w == at / 64)
            word &= ((uint64_t)1 << at % 64) - 1;
        if (word)
            return w * 64 + 64 - (unsigned)__builtin_clzl(word);
    }
}

/* The bits of the n units at at that lie in word w. */
static inline uint64_t bits_in(unsigned w, unsigned at, unsigned n)
{
    unsigned from = at > w * 64 ? at - w * 64 : 0;
    unsigned to = at + n < w * 64 + 64 ? at + n - w * 64 : 64;

    return (to - from == 64 ? ~(uint64_t)0 : ((uint64_t)1 << (to - from)) - 1) << from;
}

static inline void set_units(uint64_t *map, unsigned at, unsigned n)
{
    for (unsigned w = at / 64; w <= (at + n - 1) / 64; w++)
        map[w] |= bits_in(w, at, n);
}

static inline void clear_units(uint64_t *map, unsigned at, unsigned n)
{
    for (unsigned w = at / 64; w <= (at + n - 1) / 64; w++)
        map[w] &= ~bits_in(w, at, n);
}

static inline unsigned count_units(const uint64_t *map, unsigned at, unsigned n)
{
    unsigned count = 0;

    for (unsigned w = at / 64; w <= (at + n - 1) / 64; w++)
        count += (unsigned)__builtin_popcountl(map[w] & bits_in(w, at, n));
    return count;
}

#endif
