#include "decode.h"

#include <stdio.h>
#include <string.h>

#include "memory.h"

static bool is_unsigned(const bt_field_class *class)
{
    bt_field_class_type type = bt_field_class_get_type(class);

    return bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_UNSIGNED_INTEGER);
}

static bool is_signed(const bt_field_class *class)
{
    bt_field_class_type type = bt_field_class_get_type(class);

    return bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_SIGNED_INTEGER);
}

static bool is_text(const bt_field_class *class)
{
    return bt_field_class_get_type(class) == BT_FIELD_CLASS_TYPE_STRING;
}

static bool fits(const bt_field_class *class, enum field_kind kind)
{
    switch (kind) {
    case FIELD_TEXT: return is_text(class);
    case FIELD_SIGNED_32: return is_signed(class);
    default: return is_unsigned(class);
    }
}

static uint64_t member_count(const bt_field_class *structure)
{
    return structure ? bt_field_class_structure_get_member_count(structure) : 0;
}

/* The index of a member of a structure, and its class; NO_MEMBER. */
static uint64_t member_index(const bt_field_class *structure, const char *name,
                             const bt_field_class **class)
{
    uint64_t members = member_count(structure);

    for (uint64_t i = 0; i < members; i++) {
        const bt_field_class_structure_member *member =
            bt_field_class_structure_borrow_member_by_index_const(structure, i);

        if (strcmp(bt_field_class_structure_member_get_name(member), name) == 0) {
            *class = bt_field_class_structure_member_borrow_field_class_const(member);
            return i;
        }
    }
    return NO_MEMBER;
}

static uint64_t context_member(const bt_field_class *context, const char *name,
                               bool (*right)(const bt_field_class *))
{
    const bt_field_class *class;
    uint64_t index = member_index(context, name, &class);

    return index != NO_MEMBER && right(class) ? index : NO_MEMBER;
}

static bool is_tier(enum hak_event kind, const char *tier)
{
    return kind != HAK_EVENTS && strcmp(event_kinds[kind].tier, tier) == 0;
}

static bool is_integer(const bt_field_class *class)
{
    return is_unsigned(class) || is_signed(class);
}

/* Has it all fields of this kind? exactly: and no others. */
static bool has_fields(const bt_event_class *class, enum hak_event kind, bool exactly)
{
    const bt_field_class *payload = bt_event_class_borrow_payload_field_class_const(class);
    const struct field *f = event_kinds[kind].fields(), *first = f;
    const bt_field_class *field;

    while (f->name && member_index(payload, f->name, &field) != NO_MEMBER)
        f++;
    return !f->name &&
           (!exactly || (f - first > 1 && member_count(payload) == (uint64_t)(f - first)));
}

/* Is it called as one of ours, but for the provider, with all of its fields; or has it the very
 * fields of one, whatever it is called? Then somebody has changed the metadata. */
static bool looks_like_ours(const bt_event_class *class)
{
    const char *name = bt_event_class_get_name(class);
    const char *last = name ? strrchr(name, ':') : NULL;

    for (unsigned i = 0; i < HAK_EVENTS; i++)
        if (has_fields(class, i, !last || strcmp(event_kinds[i].name, last + 1) != 0))
            return true;
    return false;
}

static bool find_fields(struct decoder *d, struct event_shape *shape)
{
    const struct event_kind *kind = &event_kinds[shape->kind];
    const bt_field_class *payload = bt_event_class_borrow_payload_field_class_const(shape->class);

    for (const struct field *f = kind->fields(); f->name; f++) {
        const bt_field_class *class;
        uint64_t index = member_index(payload, f->name, &class);

        if (index == NO_MEMBER || !fits(class, f->kind)) {
            snprintf(d->error, sizeof(d->error),
                     "event hakmem:%s has no field %s as this version knows it: the trace was "
                     "recorded by another version of hakmem",
                     kind->name, f->name);
            return false;
        }
        shape->field[shape->fields++] = (struct field_place){index, f->kind, f->offset};
    }
    return true;
}

const struct event_shape *decode_new_shape(struct decoder *d, const bt_event *event)
{
    const bt_event_class *class = bt_event_borrow_class_const(event);
    const bt_stream_class *stream_class = bt_event_class_borrow_stream_class_const(class);
    const bt_field_class *context =
        bt_stream_class_borrow_event_common_context_field_class_const(stream_class);
    struct event_shape *shape = memory_new(sizeof(*shape));

    shape->class = class;
    shape->kind = event_by_name(bt_event_class_get_name(class));
    shape->unknown = shape->kind == HAK_EVENTS &&
                     (event_is_ours(bt_event_class_get_name(class)) || looks_like_ours(class));
    shape->threaded = is_tier(shape->kind, "failure") || is_tier(shape->kind, "ops") ||
                      shape->kind == HAK_EV_remote_push;
    shape->vpid = context_member(context, "vpid", is_integer);
    shape->vtid = context_member(context, "vtid", is_integer);
    shape->procname = context_member(context, "procname", is_text);
    if (shape->kind != HAK_EVENTS && !find_fields(d, shape)) {
        free(shape);
        return NULL;
    }
    bt_event_class_get_ref(class);
    map_put(&d->shapes, (uintptr_t) class, shape);
    return shape;
}

static void read_field(const bt_field *field, enum field_kind kind, void *to)
{
    switch (kind) {
    case FIELD_ADDRESS:
    case FIELD_UNSIGNED_64: *(uint64_t *)to = bt_field_integer_unsigned_get_value(field); break;
    case FIELD_UNSIGNED_32:
    case FIELD_LABEL: *(uint32_t *)to = (uint32_t)bt_field_integer_unsigned_get_value(field); break;
    case FIELD_SIGNED_32: *(int32_t *)to = (int32_t)bt_field_integer_signed_get_value(field); break;
    /* Of an empty one the value is that of some field before. */
    case FIELD_TEXT:
        *(const char **)to =
            bt_field_string_get_length(field) ? bt_field_string_get_value(field) : "";
        break;
    }
}

void decode_payload(const struct event_shape *shape, const bt_event *event, union any_event *out)
{
    const bt_field *payload = bt_event_borrow_payload_field_const(event);

    for (unsigned i = 0; i < shape->fields; i++) {
        const struct field_place *f = &shape->field[i];

        read_field(bt_field_structure_borrow_member_field_by_index_const(payload, f->member),
                   f->kind, (char *)out + f->offset);
    }
}

static const bt_field *context_field(const bt_event *event, uint64_t member)
{
    return bt_field_structure_borrow_member_field_by_index_const(
        bt_event_borrow_common_context_field_const(event), member);
}

static uint64_t context_number(const bt_event *event, uint64_t member)
{
    const bt_field *field = context_field(event, member);
    bt_field_class_type type = bt_field_get_class_type(field);

    if (bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_SIGNED_INTEGER))
        return (uint64_t)bt_field_integer_signed_get_value(field);
    return bt_field_integer_unsigned_get_value(field);
}

/* Per-process buffers say in their trace's environment what others say in every event. */
static const bt_value *environment(const bt_event *event, const char *name)
{
    const bt_trace *trace = bt_stream_borrow_trace_const(bt_event_borrow_stream_const(event));

    return bt_trace_borrow_environment_entry_value_by_name_const(trace, name);
}

uint64_t decode_pid(const struct event_shape *shape, const bt_event *event)
{
    const bt_value *value;

    if (shape->vpid != NO_MEMBER)
        return context_number(event, shape->vpid);
    value = environment(event, "vpid");
    return value && bt_value_is_signed_integer(value) ? (uint64_t)bt_value_integer_signed_get(value)
                                                      : 0;
}

uint64_t decode_tid(const struct event_shape *shape, const bt_event *event)
{
    return shape->vtid == NO_MEMBER ? 0 : context_number(event, shape->vtid);
}

const char *decode_procname(const struct event_shape *shape, const bt_event *event)
{
    const bt_value *value;

    if (shape->procname != NO_MEMBER)
        return bt_field_string_get_value(context_field(event, shape->procname));
    value = environment(event, "procname");
    return value && bt_value_is_string(value) ? bt_value_string_get(value) : NULL;
}

bool decode_stream_holds(const bt_stream *stream, const char *tier)
{
    const bt_stream_class *class = bt_stream_borrow_class_const(stream);
    uint64_t events = bt_stream_class_get_event_class_count(class);

    for (uint64_t i = 0; i < events; i++) {
        const bt_event_class *event = bt_stream_class_borrow_event_class_by_index_const(class, i);

        if (is_tier(event_by_name(bt_event_class_get_name(event)), tier))
            return true;
    }
    return false;
}

static void shape_free(void *value, void *unused)
{
    struct event_shape *shape = value;

    (void)unused;
    bt_event_class_put_ref(shape->class);
    free(shape);
}

void decode_free(struct decoder *d)
{
    map_each(&d->shapes, shape_free, NULL);
    map_free(&d->shapes);
}
