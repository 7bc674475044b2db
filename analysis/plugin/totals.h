/*
 * Sums per process and class, and per 10 ms. Sums are kept while machine.counting is set; the
 * number of ACTIVE slabs is kept always, since a window needs to know where it begins.
 */
#ifndef HAK_TOTALS_H
#define HAK_TOTALS_H

#include "machine.h"

/* The totals of a class of the process at hand, made when first needed, and noted as having
 * something in this tick. */
struct class_totals *totals_of(struct machine *m, uint32_t cls);

/* An ACTIVE slab more, or less. */
void totals_active(struct machine *m, struct process *p, uint32_t cls, int change);

/* The least number of them since SETTLED_NS ago, or a little longer. */
uint32_t totals_active_lately(const struct machine *m, struct class_totals *t);

void totals_stage(struct machine *m, const struct hak_ev_acquire_stage *e);
void totals_shared_fail(struct machine *m, const struct hak_ev_shared_fail *e);
void totals_shared_fail_sum(struct machine *m, const struct hak_ev_shared_fail_sum *e);
void totals_legacy(struct machine *m, const struct hak_ev_legacy_alloc *e);
void totals_legacy_sum(struct machine *m, const struct hak_ev_legacy_alloc_sum *e);
void totals_pool_lock(struct machine *m, const struct hak_ev_pool_lock *e);
void totals_cap(struct machine *m, uint32_t cls, uint32_t cap);

/* Rows of the tick that now has passed. */
void totals_end_tick(struct machine *m);

/* The same for one process that ends within the tick: the others go on counting. */
void totals_end_tick_of(struct machine *m, const struct process *p);
/* The window begins: peaks count from here. */
void totals_window(struct machine *m);
/* Rows of a process that has ended; frees its totals. */
void totals_close(struct machine *m, struct process *p);

#endif
