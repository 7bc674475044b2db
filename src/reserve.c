#include "reserve.h"

#include <string.h>

#include "os.h"

/* A thread needs about 1 KiB. */
#define RESERVE_BYTES (256u << 10)

static struct {
    _Atomic(char *) bytes;
    _Atomic size_t used;
} reserve;

static char *reserve_bytes(void)
{
    return atomic_load_explicit(&reserve.bytes, memory_order_acquire);
}

void reserve_prepare(void)
{
    if (!reserve_bytes())
        atomic_store_explicit(&reserve.bytes, os_map(RESERVE_BYTES), memory_order_release);
}

void reserve_tables(table_each *each, void *arg)
{
    if (reserve_bytes())
        each(reserve_bytes(), RESERVE_BYTES, arg);
}

void *reserve_take(size_t size, size_t align)
{
    size_t used = atomic_load_explicit(&reserve.used, memory_order_relaxed), at;
    char *bytes = reserve_bytes();

    if (align < 16)
        align = 16;
    if (!bytes || size > RESERVE_BYTES || align > 64)
        return NULL;
    do {
        /* The size lies in front of the block. */
        at = align_up(used + sizeof(size_t), align);
        if (at + size > RESERVE_BYTES)
            return NULL;
    } while (!atomic_compare_exchange_weak_explicit(&reserve.used, &used, at + size,
                                                    memory_order_relaxed, memory_order_relaxed));
    memcpy(bytes + at - sizeof(size_t), &size, sizeof(size_t));
    return bytes + at;
}

bool reserve_holds(const void *p)
{
    const char *bytes = reserve_bytes();

    return bytes && (uintptr_t)p - (uintptr_t)bytes < RESERVE_BYTES;
}

size_t reserve_size(const void *p)
{
    size_t size;

    memcpy(&size, (const char *)p - sizeof(size_t), sizeof(size_t));
    return size;
}
