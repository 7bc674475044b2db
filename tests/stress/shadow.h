/*
 * Who has which bytes: a flag for every 8 bytes of address space that a block was ever seen in.
 * shadow_claim() of a block that overlaps a live one is noticed at once, whatever the blocks hold.
 *
 * Relaxed throughout: the shadow must not bring order into what the allocator forgot to order.
 */
#ifndef STRESS_SHADOW_H
#define STRESS_SHADOW_H

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "alloc.h"

#define SHADOW_CHUNK_LG 21
#define SHADOW_CHUNKS 65536

/* A place of the hash table: chunk number + 1, and its flags. */
static struct {
    _Atomic uintptr_t chunk;
    _Atomic(_Atomic uint8_t *) flags;
} shadow[SHADOW_CHUNKS];

static _Atomic uint8_t *shadow_flags(uintptr_t address)
{
    uintptr_t key = (address >> SHADOW_CHUNK_LG) + 1;
    size_t size = (size_t)1 << (SHADOW_CHUNK_LG - 3);

    for (uintptr_t i = key * 0x9e3779b1u;; i++) {
        uintptr_t there =
            atomic_load_explicit(&shadow[i % SHADOW_CHUNKS].chunk, memory_order_relaxed);
        _Atomic uint8_t *flags;

        if (!there &&
            atomic_compare_exchange_strong_explicit(&shadow[i % SHADOW_CHUNKS].chunk, &there, key,
                                                    memory_order_relaxed, memory_order_relaxed)) {
            /* ThreadSanitizer takes its own mmap for a write that others must be ordered with. */
            flags = (void *)syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (flags == MAP_FAILED)
                broken("no memory for the shadow");
            atomic_store_explicit(&shadow[i % SHADOW_CHUNKS].flags, flags, memory_order_relaxed);
            return flags;
        }
        if (there != key)
            continue;
        while (
            !(flags = atomic_load_explicit(&shadow[i % SHADOW_CHUNKS].flags, memory_order_relaxed)))
            ;
        return flags;
    }
}

/* Marks the n bytes at p as a live block's (1) or nobody's (0); they must be the other before. */
static void shadow_mark(const void *p, size_t n, uint8_t live)
{
    uintptr_t end = (uintptr_t)p + n;

    for (uintptr_t a = (uintptr_t)p; a < end; a += 8) {
        _Atomic uint8_t *flag = shadow_flags(a) + ((a & ((1u << SHADOW_CHUNK_LG) - 1)) >> 3);

        if (atomic_exchange_explicit(flag, live, memory_order_relaxed) == live)
            broken("%p, %zu bytes: byte %zu belongs to %s", p, n, a - (uintptr_t)p,
                   live ? "another live block too" : "nobody");
    }
}

static void shadow_claim(const void *p, size_t n)
{
    shadow_mark(p, n, 1);
}

static void shadow_give_up(const void *p, size_t n)
{
    shadow_mark(p, n, 0);
}

#endif
