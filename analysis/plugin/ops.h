/*
 * Events of single operations, added up by thread and class: how many blocks, how much of them was
 * asked for, by what sizes; and what lives in the end, by who allocated it. Memory follows what is
 * live.
 */
#ifndef HAK_OPS_H
#define HAK_OPS_H

#include "machine.h"

void ops_alloc(struct machine *m, const struct hak_ev_alloc *e);
void ops_free(struct machine *m, const struct hak_ev_free *e);
void ops_close(struct machine *m, struct process *p);

#endif
