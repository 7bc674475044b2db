/*
 * Children that were born without our fork handlers: of a raw clone(), of _Fork(), of a fork in a
 * signal handler that interrupted a slow path. Locks of ours may be taken in them by threads that
 * they do not have, and what those were changing is half changed: such a process is lost until
 * fork.c has put it in order. This box knows whether it is, by a word in a page that the kernel
 * wipes in each child, and how deep the calling thread is inside the allocator.
 *
 * The depth is the thread's own. The word is set by whoever puts a child in order.
 */
#ifndef HAKMEM_LOST_H
#define HAKMEM_LOST_H

#include "lock.h"

/* What befalls each box at a fork: its locks are taken; or, in a lost child, taken whoever held
 * them; and they are given back, in the parent or in the child. */
enum fork_step { FORK_LOCK, FORK_SEIZE, FORK_PARENT, FORK_CHILD };

extern HIDDEN TLS_FAST uint32_t lost_depth;
/* [0]: in order; [1]: lost_to(). */
extern HIDDEN _Atomic uint32_t *lost_mark;

/* With the process's initialisation. Where the kernel cannot wipe a page no child is known to be
 * lost. */
void lost_init(void);

/* This process is in order. */
void lost_found(void);

/* Who has come to a slow path first since a child was born. */
enum { LOST_TO_NOBODY, LOST_TO_FIRST, LOST_TO_OTHERS };

static inline uint32_t lost_to(void)
{
    return atomic_load(&lost_mark[1]);
}

static inline bool lost_claim(uint32_t *by, uint32_t to)
{
    return atomic_compare_exchange_strong(&lost_mark[1], by, to);
}

static inline bool lost(void)
{
    return unlikely(!atomic_load_explicit(lost_mark, memory_order_relaxed));
}

/* Puts a lost child in order, if this is the moment: fork.c's. */
void fork_recover(void);

/* Around each slow path. Not within: between the two a signal handler finds the thread inside. */
static inline void lost_enter(void)
{
    if (!lost_depth++ && lost())
        fork_recover();
}

static inline void lost_leave(void)
{
    lost_depth--;
}

/* Takes l. False in a lost child where somebody has it who is not here: only what was interrupted
 * by the fork, and goes on in the child, meets that. */
static inline bool lost_take(struct lock *l)
{
    if (likely(lock_try(l)))
        return true;
    if (lost())
        return false;
    lock_take(l);
    return true;
}

/* One lock's part in a step. True if it was seized from somebody who had it: what it guards may be
 * half changed. */
bool lost_step(struct lock *l, enum fork_step step);

#endif
