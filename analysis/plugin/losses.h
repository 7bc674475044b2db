/*
 * What is missing from the trace: rows of the table loss, and per trace the end of the latest
 * loss that may have swallowed events which the state machine depends on.
 */
#ifndef HAK_LOSSES_H
#define HAK_LOSSES_H

#include <babeltrace2/babeltrace.h>

#include "map.h"
#include "store.h"

struct losses {
    struct map traces; /* bt_trace -> int64_t, the end of its latest loss */
    uint64_t events, packets;
    bool uncounted; /* a loss did not say how much was lost */
    /* Before this time of the trace's clock some streams had been overwritten; 0: none. */
    uint64_t overwritten_until;
};

/* Where the end of the latest loss of the stream's trace is kept. */
const int64_t *losses_until(struct losses *l, struct store *store, const bt_stream *stream);

void losses_events(struct losses *l, struct store *store, const bt_message *message);
void losses_packets(struct losses *l, struct store *store, const bt_message *message);
void losses_free(struct losses *l);

#endif
