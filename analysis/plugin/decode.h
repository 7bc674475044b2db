/*
 * Reads events: which of ours an event is and where its fields lie is found once per event
 * class; after that a field is read by its index. One decoder serves one component.
 */
#ifndef HAK_DECODE_H
#define HAK_DECODE_H

#include <babeltrace2/babeltrace.h>
#include <stdbool.h>

#include "catalogue.h"
#include "map.h"

#define NO_MEMBER UINT64_MAX

struct field_place {
    uint64_t member; /* index in the payload */
    enum field_kind kind;
    unsigned offset;
};

/* What is known of one bt_event_class. */
struct event_shape {
    enum hak_event kind; /* HAK_EVENTS: not ours */
    bool unknown;        /* but hakmem's, of another version */
    bool threaded;       /* it matters which thread it comes from */
    unsigned fields;
    struct field_place field[EVENT_FIELDS_MAX];
    uint64_t vpid, vtid, procname; /* members of the common context, or NO_MEMBER */
    const bt_event_class *class;   /* a reference: the pointer is the key */
};

struct decoder {
    struct map shapes;
    char error[256]; /* why decode_shape() returned NULL */
};

/* The shape of an event; NULL with error set if the trace is of another make. */
const struct event_shape *decode_new_shape(struct decoder *d, const bt_event *event);

static inline const struct event_shape *decode_shape(struct decoder *d, const bt_event *event)
{
    const bt_event_class *class = bt_event_borrow_class_const(event);
    const struct event_shape *shape = map_get(&d->shapes, (uintptr_t) class);

    return shape ? shape : decode_new_shape(d, event);
}

/* Reads the payload. Texts stay valid as long as the event. */
void decode_payload(const struct event_shape *shape, const bt_event *event, union any_event *out);

/* The context's values, where per-process buffers have them in the trace's environment; 0 or NULL
 * if the trace does not carry them. */
uint64_t decode_pid(const struct event_shape *shape, const bt_event *event);
uint64_t decode_tid(const struct event_shape *shape, const bt_event *event);
const char *decode_procname(const struct event_shape *shape, const bt_event *event);

/* May the stream hold events of this tier? */
bool decode_stream_holds(const bt_stream *stream, const char *tier);

/* May it hold events that the state machine depends on? */
static inline bool decode_stream_holds_state(const bt_stream *stream)
{
    return decode_stream_holds(stream, "lifecycle");
}

void decode_free(struct decoder *d);

#endif
