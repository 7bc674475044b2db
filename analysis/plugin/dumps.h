/*
 * State dumps: what the allocator says it has, as rows of the tables dump and dump_*. Slabs and
 * threads are told of a process's first and last complete dump and of those that were made because
 * something was wrong. Complete dumps go on to base.c. What is kept meanwhile are three dumps of a
 * process at most: the one at hand, the latest, and one that waits to be held against the events.
 */
#ifndef HAK_DUMPS_H
#define HAK_DUMPS_H

#include "machine.h"

/* Events of one kind, each with its time. */
struct told_superslab {
    int64_t time;
    struct hak_ev_statedump_superslab event;
};

struct told_slab {
    int64_t time;
    struct hak_ev_statedump_slab event;
};

struct dump {
    int64_t begin, end;
    struct hak_ev_statedump_begin about;
    struct hak_ev_statedump_process process;
    struct hak_ev_statedump_end last;
    struct told_superslab *superslab; /* in the order in which they were told */
    struct told_slab *slab;           /* those of a SuperSlab follow each other, in its order */
    struct hak_ev_statedump_thread *thread;
    unsigned superslabs, slabs, threads, pools;
    uint32_t classes; /* a bit for each */
    struct hak_ev_statedump_class *class;
    bool complete, written; /* written: all its rows */
};

/* One of the statedump_* events. */
void dumps_event(struct machine *m);

/* process.dump_due has come. */
void dumps_due(struct machine *m);

/* Memory came near to a limit. */
void dumps_pressure(struct machine *m, const struct hak_ev_pressure *e);

/* The process has no more events, but is not closed yet. */
void dumps_close(struct machine *m, struct process *p);

#endif
