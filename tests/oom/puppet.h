/*
 * What the puppet can do, by subject: blocks.c, kernel.c, crowd.c, misuse.c. An order has up to
 * three numbers and answers with one.
 */
#ifndef PUPPET_H
#define PUPPET_H

#include <stddef.h>

typedef unsigned long order_fn(unsigned long a, unsigned long b, unsigned long c);

order_fn hold, ask, drop, thin, churn, grow_to;
order_fn limit_as, map, maps;
order_fn threads, lend, wake;
order_fn double_free, write_after_free, invalid_free;

/* Per cent of the nearest limit on this process's memory that are used. */
unsigned long percent_used(void);

_Noreturn void give_up(const char *what);

#endif
