#include "losses.h"

#include <stdio.h>
#include <stdlib.h>

#include "decode.h"
#include "memory.h"
#include "model.h"

static int64_t ns_of(const bt_clock_snapshot *snapshot, int64_t otherwise)
{
    int64_t ns;

    if (!snapshot || bt_clock_snapshot_get_ns_from_origin(snapshot, &ns) !=
                         BT_CLOCK_SNAPSHOT_GET_NS_FROM_ORIGIN_STATUS_OK)
        return otherwise;
    return ns;
}

void losses_init(struct losses *l)
{
    l->unfinished_ns = INT64_MAX;
    l->unfinished = NO_VALUE;
}

/* A time of the stream's clock; UNKNOWN for 0. */
static int64_t clock_ns(const bt_stream *stream, uint64_t cycles)
{
    const bt_clock_class *clock =
        bt_stream_class_borrow_default_clock_class_const(bt_stream_borrow_class_const(stream));
    int64_t ns;

    if (!cycles || !clock ||
        bt_clock_class_cycles_to_ns_from_origin(clock, cycles, &ns) !=
            BT_CLOCK_CLASS_CYCLES_TO_NS_FROM_ORIGIN_STATUS_OK)
        return UNKNOWN;
    return ns;
}

static int64_t *until(struct losses *l, struct store *store, const bt_stream *stream)
{
    const bt_trace *trace = bt_stream_borrow_trace_const(stream);
    int64_t *end = map_get(&l->traces, (uintptr_t)trace);

    if (end)
        return end;
    end = memory_new(sizeof(*end));
    *end = clock_ns(stream, l->overwritten_until);
    if (*end != UNKNOWN) {
        PUT(store, loss, ("overwritten", NULL), NO_VALUE, *end, NO_VALUE, 1);
        l->uncounted = true;
    }
    if (l->unfinished != NO_VALUE)
        *end = INT64_MAX;
    bt_trace_get_ref(trace);
    map_put(&l->traces, (uintptr_t)trace, end);
    return end;
}

const int64_t *losses_until(struct losses *l, struct store *store, const bt_stream *stream)
{
    return until(l, store, stream);
}

void losses_missing(struct losses *l, const char *stream, uint64_t begin, uint64_t end,
                    uint64_t packets)
{
    struct missing *m;

    l->missing = memory_grow(l->missing, (l->missing_count + 1) * sizeof(*l->missing));
    m = &l->missing[l->missing_count++];
    snprintf(m->stream, sizeof(m->stream), "%s", stream);
    m->begin = begin;
    m->end = end;
    m->packets = packets;
}

/* The first stream's clock, which LTTng's traces share, tells in which time that was. From its
 * begin on nothing can be judged. */
static void put_missing(struct losses *l, struct store *store, const bt_stream *stream)
{
    for (unsigned i = 0; i < l->missing_count; i++) {
        const struct missing *m = &l->missing[i];
        int64_t begin = clock_ns(stream, m->begin), end = clock_ns(stream, m->end);

        PUT(store, loss, ("missing", m->stream), begin == UNKNOWN ? NO_VALUE : begin,
            end == UNKNOWN ? NO_VALUE : end, m->packets ? (int64_t)m->packets : NO_VALUE, 1);
        if (begin == UNKNOWN)
            l->unfinished_ns = 0;
        else if (begin < l->unfinished_ns)
            l->unfinished_ns = begin;
        l->packets += m->packets;
        l->uncounted |= !m->packets;
    }
    l->missing_count = 0;
}

void losses_stream(struct losses *l, struct store *store, const bt_stream *stream)
{
    int64_t ns = clock_ns(stream, l->unfinished_from);

    if (ns != UNKNOWN && l->unfinished == NO_VALUE && ns < l->unfinished_ns)
        l->unfinished_ns = ns;
    put_missing(l, store, stream);
}

static void unfinished(void *value, void *arg)
{
    (void)arg;
    *(int64_t *)value = INT64_MAX;
}

void losses_end_reached(struct losses *l, int64_t now)
{
    l->unfinished = now;
    l->unfinished_ns = INT64_MAX;
    map_each(&l->traces, unfinished, NULL);
}

void losses_unknown(struct losses *l, int64_t now)
{
    l->uncounted = true;
    if (l->unfinished == NO_VALUE)
        losses_end_reached(l, now);
}

static void note(struct losses *l, struct store *store, const bt_stream *stream, const char *kind,
                 int64_t begin, int64_t end, int64_t count)
{
    bool state = decode_stream_holds_state(stream);
    int64_t *latest = until(l, store, stream);

    PUT(store, loss, (kind, bt_stream_get_name(stream)), begin, end == INT64_MAX ? NO_VALUE : end,
        count, state);
    l->uncounted |= count == NO_VALUE;
    if (state && end > *latest)
        *latest = end;
}

void losses_events(struct losses *l, struct store *store, const bt_message *message)
{
    const bt_stream *stream = bt_message_discarded_events_borrow_stream_const(message);
    const bt_stream_class *class = bt_stream_borrow_class_const(stream);
    int64_t begin = NO_VALUE, end = INT64_MAX;
    uint64_t count;
    bool counted = bt_message_discarded_events_get_count(message, &count) ==
                   BT_PROPERTY_AVAILABILITY_AVAILABLE;

    if (bt_stream_class_discarded_events_have_default_clock_snapshots(class)) {
        begin = ns_of(
            bt_message_discarded_events_borrow_beginning_default_clock_snapshot_const(message),
            NO_VALUE);
        end = ns_of(bt_message_discarded_events_borrow_end_default_clock_snapshot_const(message),
                    INT64_MAX);
    }
    l->events += counted ? count : 0;
    note(l, store, stream, "events", begin, end, counted ? (int64_t)count : NO_VALUE);
}

void losses_packets(struct losses *l, struct store *store, const bt_message *message)
{
    const bt_stream *stream = bt_message_discarded_packets_borrow_stream_const(message);
    const bt_stream_class *class = bt_stream_borrow_class_const(stream);
    int64_t begin = NO_VALUE, end = INT64_MAX;
    uint64_t count;
    bool counted = bt_message_discarded_packets_get_count(message, &count) ==
                   BT_PROPERTY_AVAILABILITY_AVAILABLE;

    if (bt_stream_class_discarded_packets_have_default_clock_snapshots(class)) {
        begin = ns_of(
            bt_message_discarded_packets_borrow_beginning_default_clock_snapshot_const(message),
            NO_VALUE);
        end = ns_of(bt_message_discarded_packets_borrow_end_default_clock_snapshot_const(message),
                    INT64_MAX);
    }
    l->packets += counted ? count : 0;
    note(l, store, stream, "packets", begin, end, counted ? (int64_t)count : NO_VALUE);
}

void losses_free(struct losses *l)
{
    for (uint32_t i = 0; l->traces.slots && i <= l->traces.mask; i++)
        if (l->traces.slots[i].value) {
            bt_trace_put_ref((const bt_trace *)(uintptr_t)l->traces.slots[i].key);
            free(l->traces.slots[i].value);
        }
    map_free(&l->traces);
    free(l->missing);
}
