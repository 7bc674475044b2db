/*
 * A complete state dump, held against what the events tell, and taken for what they do not: where
 * a recording begins in the middle of a life, or goes on after a loss, it is the base to stand on.
 *
 *     … events … | SETTLED | dump | SETTLED | … events …
 *                  ^ since                     ^ due
 *
 * Other threads go on while a dump is made, and the thread that does something need not tell it at
 * that moment. So a dump is judged when it is due, and only of what no event since `since` tells
 * otherwise: that is surer. What a dump says is known from `since` on, as far as losses go.
 */
#ifndef HAK_BASE_H
#define HAK_BASE_H

#include "dumps.h"

/* Until d is due, what it says is mapped counts as a whole. */
void base_begin(struct machine *m, const struct dump *d);

/* When d, of p, can be judged. */
int64_t base_due(const struct process *p, const struct dump *d);

/* Judges d, of the process at hand, and believes it. */
void base_settle(struct machine *m, const struct dump *d);

/* The process ends before d is due: believes it where nothing else is known. */
void base_fill(struct machine *m, const struct dump *d);

#endif
