/*
 * Who frees whose blocks: what threads pushed onto remote queues, added up by pair of threads.
 */
#ifndef HAK_FLOWS_H
#define HAK_FLOWS_H

#include "machine.h"

/* The calling thread of the event at hand pushed blocks onto a slab in the hands of thread `of`, 0:
 * nobody's, or not known. */
void flows_push(struct machine *m, uint32_t of, uint32_t blocks);
void flows_close(struct machine *m, struct process *p);

#endif
