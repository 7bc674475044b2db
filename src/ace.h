/*
 * ACE: the way of requests above 2,048 bytes, or alignments above that, through the layers
 *
 *     mid (to 32 KiB)  ->  large (to 1 MiB)  ->  huge (a mapping)  ->  legacy (the system's malloc)
 *
 * A layer that refuses says why in one ace_fail event, and the next is asked. Each layer has a
 * lock; no two are held at once but for a fork, and no event is told under one. Whoever gives
 * memory back holds ace_tend.c's lock above them.
 */
#ifndef HAKMEM_ACE_H
#define HAKMEM_ACE_H

#include "lost.h"
#include "trace.h"

/* A block of size bytes at a multiple of align, a power of two (0: any); with zeroed, all zero.
 * NULL with ENOMEM when every layer has refused. */
void *ace_alloc(size_t size, size_t align, bool zeroed);

/* The same for malloc: any alignment, any contents. */
void *ace_malloc(size_t size);

/* Does p lie in something of ACE's, if the page map says kind of it? */
bool ace_owns(const void *p, int kind);

/* The functions below want a p that ACE owns. */

/* Frees p, or reports why it cannot be freed. */
void ace_free(void *p, int kind);

/* Bytes of the block p; 0 if it is not the start of a live one. */
size_t ace_usable(const void *p, int kind);

/* p itself, resized, or moved by the kernel; NULL if the caller must copy. p is live. */
void *ace_resize(void *p, int kind, size_t size);

/* Reports the free of p that is not live. */
void ace_report(void *p, int kind);

/* Empties the calling thread's cache: for hak_drain() and a thread's end. */
void ace_drain(void);

/* ---- giving memory back: ace_tend.c ---- */

/* From the helper thread, every 150 ms or so while ace_idle() is false; never under a lock. */
void ace_tick(uint64_t now_ns);

/* Nothing is left that a tick would give back: the helper may sleep. */
bool ace_idle(void);

/* Gives everything idle of ACE's back now; true if something was. */
bool ace_reclaim(void);

void ace_layer_stats(enum hak_ace_layer layer, struct hak_layer_stats *out);

/* In a forked child: what was freed inside a listener is found by its layer. */
void ace_forget_deferred(void);

void ace_fork(enum fork_step step);

#endif
