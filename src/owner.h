/*
 * An owner: the slabs one thread (or the legacy backend) owns, class by class. It takes blocks
 * out of its slabs for the TLS SLLs, takes blocks back, hears from other threads through the
 * pending list, and gives slabs with nothing live to the shared pool. Only the owning thread
 * (the legacy lock's holder) may call, but for owner_give_one(). Owners are never unmapped, so
 * a stale pointer to one stays readable.
 *
 * A slab of an owner is in exactly one place:
 *
 *     current   blocks are taken from it
 *     usable    has blocks to give, or had when it was put there
 *     full      none to give: back to usable when one comes back
 */
#ifndef HAKMEM_OWNER_H
#define HAKMEM_OWNER_H

#include "superslab.h"

/* The owner number of the legacy backend. */
#define OWNER_LEGACY 0xffffffffu

struct owner_class {
    struct slab *current;
    struct slab_link usable, full;
    /* Requests of the owner's thread that found its list empty, and their bytes: what requests of
     * this class are like. Written by the thread alone. */
    _Atomic uint64_t samples, sampled;
    /* Slabs whose remote queue got its first block; pushed by anyone, taken by the owner. */
    _Alignas(CACHE_LINE) _Atomic(struct slab *) pending;
};

struct owner {
    uint32_t id; /* from 1; what events call the owner */
    uint32_t tid;
    uint64_t seal; /* owner.c's */
    struct owner *next_idle;
    struct owner *next_all;
    bool gone;                    /* its thread was not forked along */
    uint32_t left;                /* the slabs of it that were published since */
    _Atomic uintptr_t descriptor; /* the live thread's pthread_self(), 0 after its end */
    /* The pool's epoch when the thread began to look for a slab, 0 while it does not. */
    _Atomic uint64_t looking;
    struct ace_cache *ace; /* its thread's mid and large blocks; ace_cache.c's */
    struct tls *lists;     /* the live thread's; under thread.c's lock */
    _Alignas(CACHE_LINE) struct owner_class cls[CLASSES];
};

/* A list of free blocks on its way. */
struct chain {
    struct block *head;
    uint32_t count;
};

void owner_init(struct owner *o, uint32_t id);

/* Takes up to want blocks of class cls from o's own slabs; empty if they have none to give. */
struct chain owner_take(struct owner *o, unsigned cls, uint32_t want);

/* Makes s, acquired for o, the slab that blocks of class cls are taken from. */
void owner_set_current(struct owner *o, struct slab *s, unsigned cls);

/* Gives free blocks of class cls, own and others', back to their slabs. */
void owner_give(struct owner *o, struct chain c, unsigned cls);

/* Gives one block back from a thread that has no owner: through the slab's remote queue. */
void owner_give_one(struct block *b, unsigned cls);

/* Collects what other threads gave back, of every class. */
void owner_collect(struct owner *o);

/* Publishes all slabs of o in which something is live for adoption; returns how many. Waits for
 * threads that are in the middle of telling o about a block. */
uint32_t owner_publish_all(struct owner *o);

/* For the pool's adopt stage: makes the published slab s one of o's, in no place yet. */
void owner_adopt(struct owner *o, struct slab *s, unsigned cls);
void owner_put_full(struct owner *o, struct slab *s, unsigned cls);

/* Adopts the published slab s, off the list, if blocks of it came back: it becomes EMPTY if all
 * did, and is published again otherwise. */
void owner_look_after(struct owner *o, struct slab *s);

/* In a forked child: slabs of o of which nothing is live any more, since what was out is lost. */
void owner_recarve(struct owner *o);

/* Nothing is o's any more. */
void owner_begin_anew(struct owner *o);

/* In a forked child: makes s, whose freelist cannot be trusted, one of o's, of which nothing is
 * known yet. */
void owner_take_over(struct owner *o, struct slab *s, unsigned cls);

/* In a forked child, where the threads that were telling o about a block are gone. */
void owner_after_fork(struct owner *o);

/* Has s, the caller's, a block to give without looking at its remote queue? */
static inline bool slab_has_block(const struct slab *s, unsigned cls)
{
    return s->freelist || info_carved(slab_info(s)) < slab_capacity(cls, slab_no(s));
}

#endif
