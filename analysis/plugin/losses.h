/*
 * What is missing from the trace: rows of the table loss, and per trace the end of the latest
 * loss that may have swallowed events which the state machine depends on.
 */
#ifndef HAK_LOSSES_H
#define HAK_LOSSES_H

#include <babeltrace2/babeltrace.h>

#include "map.h"
#include "store.h"

/* Packets that are known to be missing. Times of the trace's clock and the count: 0, unknown. */
struct missing {
    char stream[256];
    uint64_t begin, end, packets;
};

struct losses {
    struct map traces; /* bt_trace -> int64_t, the end of its latest loss */
    uint64_t events, packets;
    bool uncounted; /* a loss did not say how much was lost */
    /* Before this time of the trace's clock some streams had been overwritten; 0: none. */
    uint64_t overwritten_until;
    /* From this one on some may lack what came later; 0: none. */
    uint64_t unfinished_from;
    int64_t
        unfinished_ns;  /* the same; 0: from the begin on; INT64_MAX: not known yet, or has come */
    int64_t unfinished; /* when it came; NO_VALUE: nothing is missing */
    struct missing *missing;
    unsigned missing_count;
};

void losses_init(struct losses *l);

/* Before anything is read. `stream` is copied. */
void losses_missing(struct losses *l, const char *stream, uint64_t begin, uint64_t end,
                    uint64_t packets);

/* A stream of the trace, before its events. */
void losses_stream(struct losses *l, struct store *store, const bt_stream *stream);

/* An event that this version does not know may have been about anything. */
void losses_unknown(struct losses *l, int64_t now);

void losses_end_reached(struct losses *l, int64_t now);

/* The trace has come to this time. */
static inline void losses_reach(struct losses *l, int64_t now)
{
    if (now > l->unfinished_ns)
        losses_end_reached(l, l->unfinished_ns ? l->unfinished_ns : now);
}

/* Since when events may be missing at the end, NO_VALUE: none. */
static inline int64_t losses_unfinished(const struct losses *l)
{
    return l->unfinished;
}

/* Where the end of the latest loss of the stream's trace is kept. */
const int64_t *losses_until(struct losses *l, struct store *store, const bt_stream *stream);

void losses_events(struct losses *l, struct store *store, const bt_message *message);
void losses_packets(struct losses *l, struct store *store, const bt_message *message);
void losses_free(struct losses *l);

#endif
