/*
 * The size classes above 2,048 bytes: four a doubling, so that no class is more than a quarter
 * larger than the smallest request that needs it. Pure arithmetic.
 *
 *     mid    2,560  3,072  3,584  4,096  5,120 ... 32,768    16 classes
 *     large  40 KiB 48 KiB 56 KiB 64 KiB 80 KiB ... 1 MiB    20 classes
 */
#ifndef HAKMEM_ACE_CLASS_H
#define HAKMEM_ACE_CLASS_H

#include "base.h"

#define MID_CLASSES 16u
#define MID_MAX 32768u
#define LARGE_CLASSES 20u
#define LARGE_MAX (1u << 20)

/* Class i of those that begin above 2^base_lg. */
static inline size_t quarter_stride(unsigned base_lg, unsigned i)
{
    return ((size_t)4 + i % 4 + 1) << (base_lg - 2 + i / 4);
}

/* The smallest class above 2^base_lg that holds size bytes. */
static inline unsigned quarter_class(unsigned base_lg, size_t size)
{
    unsigned lg;

    if (size <= (size_t)1 << base_lg)
        return 0;
    lg = 63 - (unsigned)__builtin_clzl(size - 1);
    return (lg - base_lg) * 4 + (unsigned)((size - 1) >> (lg - 2) & 3);
}

static inline size_t mid_stride(unsigned cls)
{
    return quarter_stride(11, cls);
}

static inline unsigned mid_class(size_t size)
{
    return quarter_class(11, size);
}

static inline size_t large_stride(unsigned cls)
{
    return quarter_stride(15, cls);
}

static inline unsigned large_class(size_t size)
{
    return quarter_class(15, size);
}

#endif
