#include "component.h"

#include <stdio.h>
#include <string.h>

#include "decode.h"
#include "losses.h"
#include "machine.h"
#include "memory.h"

/* Message arrays taken before the caller gets a chance to draw, or to be interrupted. */
#define ARRAYS_PER_CONSUME 2048

struct component {
    bt_self_component *self;
    bt_message_iterator *messages;
    struct store *store;
    struct machine machine;
    struct decoder decoder;
    struct losses losses;
    union any_event payload;
    char identity[128];  /* what the caller calls the trace and window */
    int64_t begin, end;  /* the window asked for */
    int64_t first, last; /* events of the trace */
    uint64_t events, foreign;
    uint64_t unknown; /* events of hakmem's, but of no kind that is known here */
    bool past_end;
    char error[768];
};

/* Where this process's components say how far they have come; nobody looks at `unwatched`. */
static struct watch unwatched, *watch = &unwatched;

__attribute__((visibility("default"))) void hakmem_lives_watch(struct watch *where)
{
    watch = where;
}

static void tick(void)
{
    atomic_fetch_add_explicit(&watch->steps, 1, memory_order_relaxed);
}

/* ---- parameters ---- */

struct param {
    const char *name;
    bool required;
    bt_value_type type;
};

static const struct param params_known[] = {
    {"db", true, BT_VALUE_TYPE_STRING},
    {"begin", false, BT_VALUE_TYPE_SIGNED_INTEGER},
    {"end", false, BT_VALUE_TYPE_SIGNED_INTEGER},
    {"identity", false, BT_VALUE_TYPE_STRING},
    {"missing", false, BT_VALUE_TYPE_ARRAY},
    {"overwritten", false, BT_VALUE_TYPE_UNSIGNED_INTEGER},
    {"unfinished", false, BT_VALUE_TYPE_UNSIGNED_INTEGER},
};
#define PARAMS (sizeof(params_known) / sizeof(params_known[0]))

static bt_value_map_foreach_entry_const_func_status check_known(const char *key,
                                                                const bt_value *value, void *data)
{
    struct component *c = data;
    unsigned i = 0;

    while (i < PARAMS && strcmp(params_known[i].name, key) != 0)
        i++;
    if (i == PARAMS)
        snprintf(c->error, sizeof(c->error), "unknown parameter `%s`", key);
    else if (!bt_value_type_is(bt_value_get_type(value), params_known[i].type))
        snprintf(c->error, sizeof(c->error), "parameter `%s` is of the wrong type", key);
    return c->error[0] ? BT_VALUE_MAP_FOREACH_ENTRY_CONST_FUNC_STATUS_INTERRUPT
                       : BT_VALUE_MAP_FOREACH_ENTRY_CONST_FUNC_STATUS_OK;
}

static int64_t time_param(const bt_value *params, const char *name)
{
    const bt_value *value = bt_value_map_borrow_entry_value_const(params, name);

    return value ? bt_value_integer_signed_get(value) : UNKNOWN;
}

static uint64_t clock_param(const bt_value *params, const char *name)
{
    const bt_value *value = bt_value_map_borrow_entry_value_const(params, name);

    return value ? bt_value_integer_unsigned_get(value) : 0;
}

static uint64_t clock_entry(const bt_value *map, const char *name)
{
    const bt_value *value = bt_value_map_borrow_entry_value_const(map, name);

    return value && bt_value_is_unsigned_integer(value) ? bt_value_integer_unsigned_get(value) : 0;
}

static bool read_missing(struct component *c, const bt_value *params)
{
    const bt_value *list = bt_value_map_borrow_entry_value_const(params, "missing");
    uint64_t count = list ? bt_value_array_get_length(list) : 0;

    for (uint64_t i = 0; i < count; i++) {
        const bt_value *one = bt_value_array_borrow_element_by_index_const(list, i);
        const bt_value *stream =
            bt_value_is_map(one) ? bt_value_map_borrow_entry_value_const(one, "stream") : NULL;

        if (!stream || !bt_value_is_string(stream)) {
            snprintf(c->error, sizeof(c->error), "parameter `missing` is of the wrong type");
            return false;
        }
        losses_missing(&c->losses, bt_value_string_get(stream), clock_entry(one, "begin"),
                       clock_entry(one, "end"), clock_entry(one, "packets"));
    }
    return true;
}

static bool read_params(struct component *c, const bt_value *params, const char **db)
{
    const bt_value *value;

    if (bt_value_map_foreach_entry_const(params, check_known, c) !=
        BT_VALUE_MAP_FOREACH_ENTRY_CONST_STATUS_OK) {
        if (!c->error[0])
            snprintf(c->error, sizeof(c->error), "cannot read the parameters");
        return false;
    }
    value = bt_value_map_borrow_entry_value_const(params, "db");
    if (!value) {
        snprintf(c->error, sizeof(c->error), "parameter `db` is missing");
        return false;
    }
    *db = bt_value_string_get(value);
    value = bt_value_map_borrow_entry_value_const(params, "identity");
    snprintf(c->identity, sizeof(c->identity), "%s", value ? bt_value_string_get(value) : "");
    c->begin = time_param(params, "begin");
    c->end = time_param(params, "end");
    c->losses.overwritten_until = clock_param(params, "overwritten");
    c->losses.unfinished_from = clock_param(params, "unfinished");
    return read_missing(c, params);
}

/* ---- beginning and end ---- */

static void component_free(struct component *c)
{
    if (!c)
        return;
    bt_message_iterator_put_ref(c->messages);
    if (c->store)
        machine_free(&c->machine);
    store_close(c->store);
    decode_free(&c->decoder);
    losses_free(&c->losses);
    free(c);
}

bt_component_class_initialize_method_status component_init(
    bt_self_component_sink *self, bt_self_component_sink_configuration *config,
    const bt_value *params, void *data)
{
    struct component *c = memory_new(sizeof(*c));
    const char *db;

    (void)config, (void)data;
    c->self = bt_self_component_sink_as_self_component(self);
    c->first = c->last = UNKNOWN;
    losses_init(&c->losses);
    if (!read_params(c, params, &db))
        goto failed;
    if (bt_self_component_sink_add_input_port(self, "in", NULL, NULL) !=
        BT_SELF_COMPONENT_ADD_PORT_STATUS_OK) {
        snprintf(c->error, sizeof(c->error), "cannot add the input port");
        goto failed;
    }
    c->store = store_open(db, tick, c->error, sizeof(c->error));
    if (!c->store)
        goto failed;
    machine_init(&c->machine, c->store, db, c->begin, c->end);
    bt_self_component_set_data(c->self, c);
    return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_OK;
failed:
    BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT(c->self, "%s", c->error);
    component_free(c);
    return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
}

bt_component_class_sink_graph_is_configured_method_status component_configured(
    bt_self_component_sink *self)
{
    struct component *c =
        bt_self_component_get_data(bt_self_component_sink_as_self_component(self));
    bt_self_component_port_input *port = bt_self_component_sink_borrow_input_port_by_index(self, 0);

    if (bt_message_iterator_create_from_sink_component(self, port, &c->messages) !=
        BT_MESSAGE_ITERATOR_CREATE_FROM_SINK_COMPONENT_STATUS_OK)
        return BT_COMPONENT_CLASS_SINK_GRAPH_IS_CONFIGURED_METHOD_STATUS_ERROR;
    return BT_COMPONENT_CLASS_SINK_GRAPH_IS_CONFIGURED_METHOD_STATUS_OK;
}

void component_finalize(bt_self_component_sink *self)
{
    component_free(bt_self_component_get_data(bt_self_component_sink_as_self_component(self)));
}

static void put_number(struct component *c, const char *key, int64_t number)
{
    PUT(c->store, meta, (key, NULL), number);
}

/* Completes the file. whole: the trace was read to its end. */
static bool finish(struct component *c, bool whole)
{
    const struct machine *m = &c->machine;

    machine_finish(&c->machine);
    PUT(c->store, meta, ("identity", c->identity), NO_VALUE);
    put_number(c, "schema", SCHEMA_VERSION);
    put_number(c, "whole", whole);
    put_number(c, "first", c->first);
    put_number(c, "last", c->last);
    put_number(c, "begin", c->begin);
    put_number(c, "end", c->end);
    put_number(c, "events", (int64_t)(c->events - c->foreign));
    put_number(c, "foreign", (int64_t)c->foreign);
    put_number(c, "lost_events", (int64_t)c->losses.events);
    put_number(c, "lost_packets", (int64_t)c->losses.packets);
    /* What would have come is missing as what was lost is. */
    put_number(c, "lost_uncounted", c->losses.uncounted || !whole);
    put_number(c, "unknown", (int64_t)c->unknown);
    put_number(c, "unfinished", losses_unfinished(&c->losses));
    put_number(c, "batches", m->batches);
    put_number(c, "lives", (int64_t)m->lives);
    put_number(c, "carried", (int64_t)m->carried);
    put_number(c, "checked_transitions", (int64_t)m->transitions);
    put_number(c, "checked_flows", (int64_t)m->flows);
    put_number(c, "checked_acquires", (int64_t)m->acquires);
    put_number(c, "refused", (int64_t)m->refused);
    put_number(c, "refused_in_sums", (int64_t)m->refused_in_sums);
    put_number(c, "checked_dumped", (int64_t)m->dumped);
    put_number(c, "violations", (int64_t)m->violations);
    put_number(c, "explained", (int64_t)m->explained);
    return store_finish(c->store);
}

/* ---- messages ---- */

static bool set_error(struct component *c, const char *error)
{
    if (!c->error[0])
        snprintf(c->error, sizeof(c->error), "%s", error);
    return false;
}

/* What the context has is the name of a thread: the allocator's own says nothing, and LTTng calls
 * its own as the first thread, with this behind it. */
#define HELPER_NAME "hakmem-tick"
#define TRACER_SUFFIX "-ust"

/* Names a process that has not said who it is. What its first thread is called, it is. */
static void guess_name(struct process *p, const struct event_shape *shape, const bt_event *event)
{
    const char *name = decode_procname(shape, event);
    size_t len = name ? strlen(name) : 0, suffix = sizeof(TRACER_SUFFIX) - 1;

    if (len && decode_tid(shape, event) == p->pid)
        p->named = true;
    else if (!len || p->name[0] || strcmp(name, HELPER_NAME) == 0)
        return;
    else if (len > suffix && strcmp(name + len - suffix, TRACER_SUFFIX) == 0)
        len -= suffix;
    snprintf(p->name, sizeof(p->name), "%.*s", (int)len, name);
}

static struct process *process_of(struct component *c, const struct event_shape *shape,
                                  const bt_event *event)
{
    uint64_t pid = decode_pid(shape, event);
    struct process *p = map_get(&c->machine.processes, pid);

    if (!p)
        p = machine_process(
            &c->machine, pid,
            losses_until(&c->losses, c->store, bt_event_borrow_stream_const(event)));
    if (!p->named)
        guess_name(p, shape, event);
    return p;
}

static bool on_event(struct component *c, const bt_message *message)
{
    const bt_event *event = bt_message_event_borrow_event_const(message);
    const struct event_shape *shape = decode_shape(&c->decoder, event);
    const bt_clock_snapshot *clock = bt_message_event_borrow_default_clock_snapshot_const(message);
    int64_t now;

    if (!shape)
        return set_error(c, c->decoder.error);
    if (bt_clock_snapshot_get_ns_from_origin(clock, &now) !=
        BT_CLOCK_SNAPSHOT_GET_NS_FROM_ORIGIN_STATUS_OK)
        return set_error(c, "the trace has times that cannot be told in nanoseconds");
    if (c->first == UNKNOWN)
        c->first = c->last = now;
    losses_reach(&c->losses, now);
    if (c->end != UNKNOWN && now >= c->end) {
        c->past_end = true;
        return true;
    }
    c->last = now;
    c->events++;
    if (shape->unknown) {
        c->unknown++;
        losses_unknown(&c->losses, now);
    }
    if (shape->kind == HAK_EVENTS) {
        c->foreign++;
        return true;
    }
    c->machine.process = process_of(c, shape, event);
    decode_payload(shape, event, &c->payload);
    c->machine.clock_zero = (uint64_t)now - bt_clock_snapshot_get_value(clock);
    machine_event(&c->machine, now, shape->kind, &c->payload,
                  shape->threaded ? (uint32_t)decode_tid(shape, event) : 0);
    /* What has announced itself is another process, and may not know its name. */
    if (!c->machine.process->named)
        guess_name(c->machine.process, shape, event);
    return true;
}

/* Every event's time is read without a question later. */
static bool on_stream(struct component *c, const bt_message *message)
{
    const bt_stream *stream = bt_message_stream_beginning_borrow_stream_const(message);
    const bt_stream_class *class = bt_stream_borrow_class_const(stream);

    if (!bt_stream_class_borrow_default_clock_class_const(class))
        return set_error(c, "the trace has no clock: it was not recorded by LTTng-UST");
    losses_stream(&c->losses, c->store, stream);
    c->machine.batches |= decode_stream_holds(stream, "flow");
    return true;
}

static bool on_message(struct component *c, const bt_message *message)
{
    switch (bt_message_get_type(message)) {
    case BT_MESSAGE_TYPE_EVENT: return on_event(c, message);
    case BT_MESSAGE_TYPE_STREAM_BEGINNING: return on_stream(c, message);
    case BT_MESSAGE_TYPE_DISCARDED_EVENTS:
        losses_events(&c->losses, c->store, message);
        return true;
    case BT_MESSAGE_TYPE_DISCARDED_PACKETS:
        losses_packets(&c->losses, c->store, message);
        return true;
    default: return true;
    }
}

static bool on_messages(struct component *c, bt_message_array_const messages, uint64_t count)
{
    bool fine = true;

    for (uint64_t i = 0; i < count; i++) {
        fine = fine && on_message(c, messages[i]);
        bt_message_put_ref(messages[i]);
    }
    if (fine && store_failed(c->store))
        fine = set_error(c, store_failed(c->store));
    tick();
    atomic_store_explicit(&watch->ns, c->last, memory_order_relaxed);
    return fine;
}

static bt_component_class_sink_consume_method_status failed(struct component *c)
{
    BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT(c->self, "%s", c->error);
    return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_ERROR;
}

static bt_component_class_sink_consume_method_status end(struct component *c, bool whole)
{
    if (!finish(c, whole)) {
        set_error(c, store_failed(c->store));
        return failed(c);
    }
    return whole ? BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_END
                 : BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_ERROR;
}

/* The muxer may say OK, give messages, and leave a source's error on the thread, at which
 * Babeltrace aborts later. What it gave is taken; then that error ends the reading. */
static bool source_has_failed(struct component *c, bt_message_array_const messages, uint64_t count)
{
    const bt_error *error = bt_current_thread_take_error();

    if (!error)
        return false;
    (void)on_messages(c, messages, count);
    BT_CURRENT_THREAD_MOVE_ERROR_AND_RESET(error);
    return true;
}

bt_component_class_sink_consume_method_status component_consume(bt_self_component_sink *self)
{
    struct component *c =
        bt_self_component_get_data(bt_self_component_sink_as_self_component(self));

    for (unsigned i = 0; i < ARRAYS_PER_CONSUME; i++) {
        bt_message_array_const messages;
        uint64_t count;

        switch (bt_message_iterator_next(c->messages, &messages, &count)) {
        case BT_MESSAGE_ITERATOR_NEXT_STATUS_OK:
            if (source_has_failed(c, messages, count))
                return end(c, false);
            break;
        case BT_MESSAGE_ITERATOR_NEXT_STATUS_END: return end(c, true);
        case BT_MESSAGE_ITERATOR_NEXT_STATUS_AGAIN:
            return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_AGAIN;
        default: return end(c, false);
        }
        if (!on_messages(c, messages, count))
            return failed(c);
        if (c->past_end)
            return end(c, true);
    }
    return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_OK;
}
