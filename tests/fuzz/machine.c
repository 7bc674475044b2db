/*
 * libFuzzer target: any sequence of events, with any values in their fields, goes through the
 * plugin's state machine and into a database in memory. What a trace says is somebody else's word.
 *
 * The bytes choose: which event, how much later, of which process, and for each field one of the
 * few values that meet each other often, or eight bytes as they are.
 */
#include <string.h>

#include "machine.h"
#include "memory.h"

#define EVENTS_MAX 4000
#define PROCESSES 3
#define SS 0x7f0000000000u

struct bytes {
    const uint8_t *at, *end;
    char texts[8][40];
    unsigned text;
};

static uint8_t byte(struct bytes *b)
{
    return b->at < b->end ? *b->at++ : 0;
}

static uint64_t word(struct bytes *b)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++)
        value = value << 8 | byte(b);
    return value;
}

static uint64_t number(struct bytes *b, bool address)
{
    uint8_t choice = byte(b);

    if (choice >= 240)
        return word(b);
    if (choice >= 232)
        return UINT64_MAX >> 4 * (choice - 232);
    return address ? SS + ((uint64_t)(choice & 15) << 19) : choice & 63;
}

static const char *text(struct bytes *b)
{
    char *to = b->texts[b->text++ % 8];
    unsigned size = byte(b) % sizeof(b->texts[0]);

    for (unsigned i = 0; i < size; i++)
        to[i] = (char)byte(b);
    to[size] = '\0';
    return to;
}

static void fill(struct bytes *b, enum hak_event event, union any_event *payload)
{
    for (const struct field *f = event_kinds[event].fields(); f->name; f++) {
        void *to = (char *)payload + f->offset;

        switch (f->kind) {
        case FIELD_TEXT: *(const char **)to = text(b); break;
        case FIELD_ADDRESS: *(uint64_t *)to = number(b, true); break;
        case FIELD_UNSIGNED_64: *(uint64_t *)to = number(b, false); break;
        default: *(uint32_t *)to = (uint32_t)number(b, false); break;
        }
    }
}

static void nothing(void)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes b = {.at = data, .end = data + size};
    int64_t now = 1700000000000000000, loss_until = UNKNOWN;
    union any_event payload;
    struct machine m;
    char error[256];
    struct store *store = store_open(":memory:", nothing, error, sizeof(error));
    uint8_t how = byte(&b);
    int64_t begin = how & 1 ? now + 1000 : UNKNOWN, end = how & 2 ? now + 1000000 : UNKNOWN;

    if (!store)
        return 0;
    machine_init(&m, store, ":memory:", begin, end);
    for (unsigned i = 0; i < EVENTS_MAX && b.at < b.end; i++) {
        enum hak_event event = (enum hak_event)(byte(&b) % HAK_EVENTS);
        uint8_t when = byte(&b);

        now += when >= 250 ? (int64_t)(word(&b) >> 20) : when;
        if (when == 249)
            loss_until = now;
        m.process = machine_process(&m, 100 + when % PROCESSES, &loss_until);
        memset(&payload, 0, sizeof(payload));
        fill(&b, event, &payload);
        machine_event(&m, now, event, &payload, when);
    }
    machine_finish(&m);
    (void)store_finish(store);
    machine_free(&m);
    store_close(store);
    return 0;
}
