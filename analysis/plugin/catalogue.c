#include "catalogue.h"

#include <stddef.h>
#include <string.h>

#define F_PTR(f) {#f, FIELD_ADDRESS, offsetof(self, f), 0, 0},
#define F_U64(f) {#f, FIELD_UNSIGNED_64, offsetof(self, f), 0, 0},
#define F_U32(f) {#f, FIELD_UNSIGNED_32, offsetof(self, f), 0, 0},
#define F_I32(f) {#f, FIELD_SIGNED_32, offsetof(self, f), 0, 0},
#define F_ENUM(f, e) {#f, FIELD_LABEL, offsetof(self, f), HAK_FIRST_##e, HAK_COUNT_##e},
#define F_STR(f) {#f, FIELD_TEXT, offsetof(self, f), 0, 0},

/* A function per event, for its own meaning of `self`. */
#define HAK_EVENT(event, tier, level, ...)                                                  \
    static const struct field *fields_of_##event(void)                                      \
    {                                                                                       \
        typedef struct hak_ev_##event self;                                                 \
        static const struct field list[] = {__VA_ARGS__{NULL, FIELD_TEXT, 0, 0, 0}};        \
                                                                                            \
        _Static_assert(sizeof(list) / sizeof(list[0]) <= EVENT_FIELDS_MAX + 1, "raise it"); \
        return list;                                                                        \
    }
#include "events.def"
#undef HAK_EVENT

const struct event_kind event_kinds[HAK_EVENTS] = {
#define HAK_EVENT(event, tier_, level, ...) \
    [HAK_EV_##event] = {.name = #event, .tier = #tier_, .fields = fields_of_##event},
#include "events.def"
#undef HAK_EVENT
};

#define PROVIDER "hakmem:"

bool event_is_ours(const char *name)
{
    return name && strncmp(name, PROVIDER, sizeof(PROVIDER) - 1) == 0;
}

enum hak_event event_by_name(const char *name)
{
    unsigned i = HAK_EVENTS;

    if (event_is_ours(name))
        for (i = 0; i < HAK_EVENTS; i++)
            if (strcmp(event_kinds[i].name, name + sizeof(PROVIDER) - 1) == 0)
                break;
    return (enum hak_event)i;
}

const struct label labels[] = {
#define HAK_ENUM(name, ...) __VA_ARGS__
#define V(label, number) {number, #label},
#include "enums.def"
#undef V
#undef HAK_ENUM
    {0, NULL},
};

const struct enumeration enumerations[] = {
#define HAK_ENUM(name, ...) {#name, HAK_FIRST_##name, HAK_COUNT_##name},
#include "enums.def"
#undef HAK_ENUM
    {NULL, 0, 0},
};

const char *label_of(unsigned first, unsigned count, unsigned value)
{
    for (unsigned i = first; i < first + count; i++)
        if (labels[i].value == value)
            return labels[i].text;
    return "?";
}
