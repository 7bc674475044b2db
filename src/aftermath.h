/*
 * A moment after: what goes wrong is told when it does, but what it leads to only shows later: the
 * first refusal of a storm finds nothing idle yet. So some 100 ms after the first of a series, and
 * a second after, there is a state dump, and an event that a snapshot can be taken at. trace.c
 * notes, from any thread; the tick, and the process's end, tell. Not more than once a minute.
 */
#ifndef HAKMEM_AFTERMATH_H
#define HAKMEM_AFTERMATH_H

#include "base.h"
#include "trace.h"

#if HAK_TRACE
/* Something went wrong that snapshots are taken at, and has been told. */
void aftermath_note(enum hak_trouble_what what);

/* The same of what has no aftermath: only that it is there to be seen. */
void aftermath_alert(enum hak_trouble_what what);

/* From the tick. */
void aftermath_tick(uint64_t now_ns);

/* At the process's end, after its last dump: tells what is left to be told. */
void aftermath_at_exit(void);

/* In a forked child: what went wrong did in its parent. */
void aftermath_forked(void);
#else
static inline void aftermath_note(enum hak_trouble_what what)
{
    (void)what;
}

static inline void aftermath_alert(enum hak_trouble_what what)
{
    (void)what;
}

static inline void aftermath_tick(uint64_t now_ns)
{
    (void)now_ns;
}

static inline void aftermath_at_exit(void)
{
}

static inline void aftermath_forked(void)
{
}
#endif

#endif
