/*
 * Transitions of before anybody could listen: allocations of other libraries' constructors come
 * before ours. They wait here, so that a recording has the process's first slab too. Only events
 * without text do. Any thread puts one in, until the queue is closed, once and for all; then
 * whoever closed it replays it. Each place is its taker's until it is ready. listener.c's.
 */
#ifndef HAKMEM_EARLY_H
#define HAKMEM_EARLY_H

#include "../tracepoints/seam.h"
#include "base.h"

#define EARLY_MAX 1024

struct early_event {
    _Atomic bool ready;
    uint32_t id;
    union {
#define HAK_EVENT(name, ...) struct hak_ev_##name name;
#include "../tracepoints/events.def"
#undef HAK_EVENT
    } event;
};

/* False if the queue is closed: somebody is about to listen. Where it is full, the event is lost,
 * as early_close() will say. */
bool early_push(enum hak_event id, const void *event, size_t size);

/* The two halves of it. The place is NULL where there is none, *open then says which it was. */
struct early_event *early_take(bool *open);
void early_ready(struct early_event *place);

/* Nothing comes in any more. Are all that came in there? Waits a second at most for those who are
 * just writing theirs. */
bool early_close(void);

/* Calls tell for all that are there, in order. */
void early_replay(void (*tell)(enum hak_event id, const void *event));

#endif
