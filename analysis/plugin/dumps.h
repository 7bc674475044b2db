/*
 * State dumps: what the allocator says it has, as rows of the tables dump and dump_*. Slabs and
 * threads are told of a process's first and last complete dump and of those that were made because
 * something was wrong; what is kept meanwhile is one dump's.
 */
#ifndef HAK_DUMPS_H
#define HAK_DUMPS_H

#include "machine.h"

/* One of the statedump_* events. */
void dumps_event(struct machine *m);

/* Memory came near to a limit. */
void dumps_pressure(struct machine *m, const struct hak_ev_pressure *e);

/* The process has no more events. */
void dumps_close(struct machine *m, struct process *p);

#endif
