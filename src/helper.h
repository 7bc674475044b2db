/*
 * Threads of the allocator's own, in somebody else's process: nothing of what the program set for
 * its threads is theirs, and nothing that they have is a way into it. No lock.
 */
#ifndef HAKMEM_HELPER_H
#define HAKMEM_HELPER_H

#include "base.h"

/* The calling thread is such a one, or the tracer's. What it is refused, the program does not
 * miss. */
extern HIDDEN TLS_FAST bool helper_here;

/* Before the program runs: remembers what the process began with. */
void helper_init(void);

/* A thread without capabilities may not be there when the program calls setuid() or one of its
 * relatives: identity.h. One that makes threads which stay, as the tracer's do, has the caller's.
 */
enum helper_powers { HELPER_POWERLESS, HELPER_AS_WE };

/* Runs run(NULL) on a detached thread with so much stack, 0: the usual. It takes no signals, has
 * such capabilities, an ordinary priority, and the CPUs that the process began with. false if there
 * can be none. May allocate. */
bool helper_start(void *(*run)(void *), size_t stack, enum helper_powers powers);

/* The tracer's threads come to be by hak_helper_begin() (tracepoints/seam.h). */

#endif
