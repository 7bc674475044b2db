/*
 * A listener for tests: it takes the provider's place behind the seam and keeps every event it is
 * told, in order, up to WITNESS_MAX of them.
 */
#ifndef WITNESS_H
#define WITNESS_H

#include <stdbool.h>

#include "seam.h"

#define WITNESS_MAX 65536

struct witnessed {
    enum hak_event id;
    union {
#define HAK_EVENT(name, ...) struct hak_ev_##name name;
#include "events.def"
#undef HAK_EVENT
    };
};

/* Listens from now on to every event but process_start, alloc and free. */
void witness_begin(void);
/* Listens to event id from the next refill or drain on, or no longer. */
void witness_want(enum hak_event id, bool wanted);

/* One session more records the event. */
void witness_join(enum hak_event id);
/* Calls hook inside the listener for each event. */
void witness_hook(void (*hook)(void));
void witness_forget(void);

unsigned witness_all(void);
const struct witnessed *witness_at(unsigned n);
unsigned witness_count(enum hak_event id);
/* Event number n, from 0, with that id; the scenario fails if there is none. */
const struct witnessed *witness_nth(enum hak_event id, unsigned n);
const char *witness_name(enum hak_event id);

#endif
