#include "verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Rows are for people; what a million of them would say is said by their count. */
#define ROWS_MAX 100000

static int describe_field(const struct field *f, const union any_event *payload, char *to,
                          size_t size)
{
    const void *at = (const char *)payload + f->offset;

    switch (f->kind) {
    case FIELD_ADDRESS: return snprintf(to, size, " %s=0x%" PRIx64, f->name, *(const uint64_t *)at);
    case FIELD_UNSIGNED_64:
        return snprintf(to, size, " %s=%" PRIu64, f->name, *(const uint64_t *)at);
    case FIELD_UNSIGNED_32:
        return snprintf(to, size, " %s=%" PRIu32, f->name, *(const uint32_t *)at);
    case FIELD_SIGNED_32: return snprintf(to, size, " %s=%" PRId32, f->name, *(const int32_t *)at);
    case FIELD_LABEL:
        return snprintf(to, size, " %s=%s", f->name,
                        label_of(f->first, f->count, *(const uint32_t *)at));
    case FIELD_TEXT: return snprintf(to, size, " %s=%s", f->name, *(const char *const *)at);
    }
    return 0;
}

/* The event at hand, as text. */
static void describe(const struct machine *m, char *to, size_t size)
{
    const struct event_kind *kind = &event_kinds[m->event];
    size_t used = (size_t)snprintf(to, size, "%s", kind->name);

    for (const struct field *f = kind->fields(); f->name && used < size; f++)
        used += (size_t)describe_field(f, m->payload, to + used, size - used);
}

static void put(struct machine *m, struct subject about, const char *rule, const char *expected,
                bool explained)
{
    const struct slab *slab = about.slab;
    const struct owner *owner = about.owner;
    char seen[512];
    int64_t before = slab ? slab->seen : owner ? owner->seen : UNKNOWN;
    const char *previous =
        before == UNKNOWN ? NULL : event_kinds[slab ? slab->seen_event : owner->seen_event].name;

    describe(m, seen, sizeof(seen));
    PUT(m->store, violation, (rule, seen, expected, previous), m->now, m->process->number,
        slab ? (int64_t)slab->life.ss : NO_VALUE, slab ? (int64_t)slab->life.slab : NO_VALUE,
        slab ? (int64_t)slab->life.gen : NO_VALUE, owner ? (int64_t)owner->number : NO_VALUE,
        before, explained);
}

void complain(struct machine *m, struct subject about, const char *rule, const char *expected, ...)
{
    bool explained = *m->process->loss_until > about.sure;
    char text[256];
    va_list args;

    if (m->quiet)
        return;
    if (about.slab)
        about.slab->life.certain = 0;
    if (m->complained)
        return;
    m->complained = true;
    /* What a dump told before a loss is no more than a hint. */
    if (explained && about.slab && about.slab->seen_event == HAK_EV_statedump_slab)
        return;
    if (!m->counting)
        return;
    *(explained ? &m->explained : &m->violations) += 1;
    if (m->explained + m->violations > ROWS_MAX)
        return;
    va_start(args, expected);
    vsnprintf(text, sizeof(text), expected, args);
    va_end(args);
    put(m, about, rule, text, explained);
}
