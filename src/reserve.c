#include "reserve.h"

#include <string.h>

/* A thread needs about 1 KiB; nobody does where there is no tracer. */
#define RESERVE_BYTES (HAK_TRACE ? 256u << 10 : 64u)

static struct {
    _Alignas(64) char bytes[RESERVE_BYTES];
    _Atomic size_t used;
} reserve;

void *reserve_take(size_t size, size_t align)
{
    size_t used = atomic_load_explicit(&reserve.used, memory_order_relaxed), at;

    if (align < 16)
        align = 16;
    if (size > RESERVE_BYTES || align > 64)
        return NULL;
    do {
        /* The size lies in front of the block. */
        at = align_up(used + sizeof(size_t), align);
        if (at + size > RESERVE_BYTES)
            return NULL;
    } while (!atomic_compare_exchange_weak_explicit(&reserve.used, &used, at + size,
                                                    memory_order_relaxed, memory_order_relaxed));
    memcpy(reserve.bytes + at - sizeof(size_t), &size, sizeof(size_t));
    return reserve.bytes + at;
}

bool reserve_holds(const void *p)
{
    return (uintptr_t)p - (uintptr_t)reserve.bytes < RESERVE_BYTES;
}

size_t reserve_size(const void *p)
{
    size_t size;

    memcpy(&size, (const char *)p - sizeof(size_t), sizeof(size_t));
    return size;
}
