/*
 * What events.def and enums.def say, as tables: names of events, fields and labels. The reader
 * decodes an event into the same struct that the allocator filled (seam.h).
 */
#ifndef HAK_CATALOGUE_H
#define HAK_CATALOGUE_H

#include <stdbool.h>

#include "seam.h"

enum field_kind {
    FIELD_ADDRESS,
    FIELD_UNSIGNED_64,
    FIELD_UNSIGNED_32,
    FIELD_SIGNED_32,
    FIELD_LABEL, /* a value of an enumeration, 32 bit in the struct */
    FIELD_TEXT,
};

struct field {
    const char *name; /* NULL ends a list */
    enum field_kind kind;
    unsigned offset;       /* in the event's struct */
    unsigned first, count; /* the enumeration's labels */
};

struct event_kind {
    const char *name;
    const char *tier;
    const struct field *(*fields)(void);
};

#define EVENT_FIELDS_MAX 32

extern const struct event_kind event_kinds[HAK_EVENTS];

/* The event called `hakmem:NAME`; HAK_EVENTS if it is none of ours. */
enum hak_event event_by_name(const char *name);

/* Is it one of hakmem's, known here or not? */
bool event_is_ours(const char *name);

union any_event {
#define HAK_EVENT(name, ...) struct hak_ev_##name name;
#include "events.def"
#undef HAK_EVENT
};

/* How many values each enumeration has: HAK_COUNT_stage. */
enum {
#define HAK_ENUM(name, ...) HAK_COUNT_##name = 0 __VA_ARGS__,
#define V(label, number) +1
#include "enums.def"
#undef V
#undef HAK_ENUM
};

/* Where the labels of each enumeration begin in labels[]: HAK_FIRST_stage. */
enum {
#define HAK_ENUM(name, ...) \
    HAK_FIRST_##name, HAK_LAST_##name = HAK_FIRST_##name + HAK_COUNT_##name - 1,
#include "enums.def"
#undef HAK_ENUM
};

struct label {
    unsigned value;
    const char *text;
};

struct enumeration {
    const char *name; /* NULL ends the list */
    unsigned first, count;
};

extern const struct label labels[];
extern const struct enumeration enumerations[];

/* LABEL(stage, 1) is "STAGE_1"; "?" for a value without a label. */
#define LABEL(kind, value) label_of(HAK_FIRST_##kind, HAK_COUNT_##kind, value)
const char *label_of(unsigned first, unsigned count, unsigned value);

#endif
