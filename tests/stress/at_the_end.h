/*
 * What must hold when every other thread is gone and every block is freed. Ends the process if it
 * does not. Nothing to look at with -DPLAIN.
 */
#ifndef STRESS_AT_THE_END_H
#define STRESS_AT_THE_END_H

#include <stdbool.h>

#ifdef PLAIN
static inline void at_the_end(void)
{
}
#else
void at_the_end(void);
#endif

#endif
