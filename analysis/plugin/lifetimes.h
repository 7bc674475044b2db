/*
 * Histograms of how long the slabs of each class live, one process at a time: 32 steps for each
 * doubling, so a quantile read from them is off by at most 1.6 percent.
 */
#ifndef HAK_LIFETIMES_H
#define HAK_LIFETIMES_H

#include "model.h"
#include "store.h"

struct lifetimes;

struct lifetimes *lifetimes_new(void);
/* Lives come one process after the other. */
void lifetimes_add(struct lifetimes *t, struct store *store, const struct life *life);
/* Rows of the last process. */
void lifetimes_flush(struct lifetimes *t, struct store *store);

#endif
