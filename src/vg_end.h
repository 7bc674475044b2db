/*
 * The exit codes of processes that `hak memcheck` did not start itself. It has Valgrind end with 1
 * where errors were found; but Valgrind's option for it is for all that the program forks and runs
 * too, whose exit codes the program may look at. So these take the option back when they end.
 *
 * What hak gave stands in HAK_MEMCHECK: its program's process id; the option's value, a number that
 * occurs nowhere else and of which a process's end shows the lowest byte; and whether leaks are
 * errors (1). No lock: one thread ends a process.
 */
#ifndef HAKMEM_VG_END_H
#define HAKMEM_VG_END_H

#include "base.h"

#if HAK_VALGRIND
/* With the process's initialisation. */
void vg_end_init(void);
#else
static inline void vg_end_init(void)
{
}
#endif

#endif
