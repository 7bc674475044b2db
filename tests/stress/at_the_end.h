/*
 * What must hold when every other thread is gone and every block is freed. Ends the process if it
 * does not. Nothing to look at with -DPLAIN. memory_ended: out of memory is no surprise.
 */
#ifndef STRESS_AT_THE_END_H
#define STRESS_AT_THE_END_H

#include <stdbool.h>

#ifdef PLAIN
static inline void at_the_end(bool memory_ended)
{
    (void)memory_ended;
}
#else
void at_the_end(bool memory_ended);
#endif

#endif
