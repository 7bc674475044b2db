/*
 * The machine that rebuilds what happened: fed with events in the order of time, it follows each
 * slab and each owner, compares every transition with the rules, and hands rows to the store. It
 * owns the processes; the store is its caller's. Not for more than one thread.
 */
#ifndef HAK_MACHINE_H
#define HAK_MACHINE_H

#include "model.h"
#include "runs.h"
#include "store.h"

#define TICK_NS 10000000

struct ticked {
    struct process *process;
    unsigned slot;
};

struct machine {
    struct store *store;
    struct runs *runs;    /* rows of the table life */
    struct map processes; /* pid -> the process that has it now */
    uint32_t process_count;

    /* The event at hand. */
    int64_t now;
    uint64_t clock_zero; /* when the clock of its trace showed 0 */
    struct process *process;
    enum hak_event event;
    const union any_event *payload;
    uint32_t tid;
    bool complained; /* one violation an event: the first says most */
    bool quiet;      /* nothing is held against anybody: what is believed now need not fit */

    /* Totals and rows are kept for [begin, end) only, states for all. */
    int64_t begin, end;
    bool counting;

    bool batches; /* what passes between threads and slabs is recorded */

    int64_t tick;
    struct ticked *ticked;
    unsigned ticked_count, ticked_room;

    uint64_t events[HAK_EVENTS];
    uint64_t transitions, flows, acquires; /* how many were held against the rules */
    uint64_t refused, refused_in_sums;     /* acquires; of them, those of which no step is told */
    uint64_t dumped;                       /* slabs of dumps that were held against events */
    uint64_t violations, explained, carried, lives;
};

/* A count of what batches tell, as a table has it: not known where they are not recorded. */
static inline int64_t batched(const struct machine *m, uint64_t count)
{
    return m->batches ? (int64_t)count : NO_VALUE;
}

/* begin, end: UNKNOWN for the whole trace. temporary: where runs may be written. */
void machine_init(struct machine *m, struct store *store, const char *temporary, int64_t begin,
                  int64_t end);

/* The process that has this pid now; made if there is none. loss_until: the end of the latest
 * loss in its trace, kept current by the caller. */
struct process *machine_process(struct machine *m, uint64_t pid, const int64_t *loss_until);

/* One event of m->process. */
void machine_event(struct machine *m, int64_t now, enum hak_event event,
                   const union any_event *payload, uint32_t tid);

/* The trace has ended: rows for all that is still live. */
void machine_finish(struct machine *m);
void machine_free(struct machine *m);

/* The time that was ns before the event at hand; a trace may say any. */
static inline int64_t machine_ago(const struct machine *m, uint64_t ns)
{
    return ns < (uint64_t)m->now ? m->now - (int64_t)ns : m->now;
}

static inline bool machine_in_window(const struct machine *m, int64_t now)
{
    return now >= m->begin && (m->end == UNKNOWN || now < m->end);
}

#endif
