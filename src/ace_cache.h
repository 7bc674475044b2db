/*
 * A thread's cache of mid and large blocks that are not live, so that most of them change hands
 * without a lock. The thread alone puts blocks in; it takes them out by an atomic exchange, because
 * anyone may empty a cache: the tick those of threads that have not touched theirs for a while,
 * and a request that finds its pool at the limit. Caches hang from owners and are never unmapped.
 */
#ifndef HAKMEM_ACE_CACHE_H
#define HAKMEM_ACE_CACHE_H

#include "ace_class.h"

#define CACHE_MID 8u
#define CACHE_LARGE 2u
/* At most 128 KiB of one mid class, 512 KiB of one large class, and of all large classes: */
#define CACHE_LARGE_BYTES ((size_t)1 << 20)

typedef _Atomic(void *) cache_slot;

struct ace_cache {
    cache_slot mid[MID_CLASSES][CACHE_MID];
    cache_slot large[LARGE_CLASSES][CACHE_LARGE];
    /* Where the thread puts the next one; below it some may have been taken by others. */
    uint8_t mid_top[MID_CLASSES], large_top[LARGE_CLASSES];
    /* Bytes, of mid and of large blocks, that the thread has put in and not taken out, and that
     * others took out. Their difference is in the cache. */
    _Atomic uint64_t put[2], stolen[2];
    _Atomic uint32_t touched; /* since the last tick */
    struct ace_cache *next;   /* of all */
};

/* The calling thread's; NULL if it has none and there is no memory for one. */
struct ace_cache *cache_mine(void);

/* A block of the class, NULL if the cache has none. */
void *cache_pop_mid(struct ace_cache *c, unsigned cls);
void *cache_pop_large(struct ace_cache *c, unsigned cls);

/* How many blocks of a mid class may be taken with one for the user. */
unsigned cache_batch(unsigned cls);
/* Keeps p. true: there was no room, and others, or p, have gone back to the layer. */
bool cache_push_mid(struct ace_cache *c, unsigned cls, void *p);
bool cache_push_large(struct ace_cache *c, unsigned cls, void *p);

/* Empties the calling thread's cache. */
void cache_flush_mine(void);
/* Empties all, or those that were not touched since the last such call. Returns the bytes. */
size_t cache_flush_all(void);
size_t cache_flush_untouched(void);

/* Bytes in a cache. */
uint64_t cache_kept(struct ace_cache *c);

/* Bytes in all caches: [0] mid, [1] large. */
void cache_bytes(uint64_t bytes[2]);

/* In a forked child: forgets what is in any cache. */
void cache_forget_all(void);

#endif
