/*
 * Storms: refusals that come so often that telling each by events of its own would fill disks and
 * push everything else out of ring buffers. Of each kind the first HAKMEM_TELL_SINGLY are told
 * singly, and some every second after that; the others are added up and told as sums, at first
 * after milliseconds, in a lasting storm several times a second. Nothing is told twice, nothing
 * left out. trace.c asks for each refusal, from any thread; the tick and whoever makes a state dump
 * have told what is left over. One lock, under which nothing else is called.
 */
#ifndef HAKMEM_STORM_H
#define HAKMEM_STORM_H

#include "trace.h"

#if HAK_TRACE

/* Is the next refusal of the class likely to be added up? Then its acquire's steps wait. */
bool storm_expected(unsigned cls);

/* Each is true where the caller is to tell the event, and false where it has been added up. With
 * those steps of the acquire, NULL where they have been told already. */
bool storm_shared_fail(const struct hak_ev_shared_fail *e, const struct trace_acquire *steps);
bool storm_legacy_alloc(const struct hak_ev_legacy_alloc *e);
bool storm_ace_fail(const struct hak_ev_ace_fail *e);
bool storm_oom(const struct hak_ev_oom *e);

/* Tells the sums that are due; all: every one there is. */
void storm_tell(bool all);

/* Its part in a fork: the sums are the parent's to tell. */
void storm_fork(enum fork_step step);

#else
static inline void storm_tell(bool all)
{
    (void)all;
}

static inline void storm_fork(enum fork_step step)
{
    (void)step;
}
#endif

#endif
