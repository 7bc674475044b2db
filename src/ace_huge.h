/*
 * The huge layer: blocks with a mapping of their own, at a multiple of 512 KiB so that a granule
 * of the page map is one block's alone. All that is known of a block is its granule's word: its
 * bytes, whole pages, and in the lowest bits whether it is the user's; nothing is written into it.
 * Freed blocks wait for a while to be used again; the lock guards where they wait.
 */
#ifndef HAKMEM_ACE_HUGE_H
#define HAKMEM_ACE_HUGE_H

#include "ace_layer.h"
#include "lost.h"

/* A live block of at least size bytes at a multiple of align, a power of two. */
struct ace_answer huge_take(size_t size, size_t align);

/* The start of the huge block that p, in a granule of the given kind, lies in; NULL if p lies
 * behind the block's end, which is not ours. */
void *huge_start(const void *p, int kind);

/* Takes p, a block's start, from the user, false if it was not his, which has been reported
 * then; and gives the block back. */
bool huge_unliven(void *p);
void huge_give(void *p);

/* Bytes mapped of the block at p, live or waiting, which may be gone. */
size_t huge_mapped(const void *p);

/* Bytes of the live block at p; 0 if it is not live. */
size_t huge_size(const void *p);

/* Makes the live block p hold size bytes with mremap; NULL if that is refused. */
void *huge_resize(void *p, size_t size);

/* Unmaps what has waited since the last call but one; with all, everything. Returns the bytes that
 * went. */
size_t huge_tend(bool all);
bool huge_has_idle(void);

/* blocks, used, peak, mapped, idle. */
void huge_stats(struct hak_layer_stats *out);

void huge_fork(enum fork_step step);

#endif
