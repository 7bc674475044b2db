#include "early.h"

#if HAK_TRACE
#include <string.h>

#include "os.h"

/* Added to the count: who comes for a place later finds none. */
#define CLOSED (UINT32_MAX / 2)
#define WAITS 10000
#define WAIT_NS 100000u

static struct early_event queue[EARLY_MAX];
static _Atomic uint32_t taken;
static uint32_t count; /* of a closed queue */

struct early_event *early_take(bool *open)
{
    uint32_t i = atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed);

    *open = i < CLOSED;
    return i < EARLY_MAX ? &queue[i] : NULL;
}

void early_ready(struct early_event *place)
{
    atomic_store_explicit(&place->ready, true, memory_order_release);
}

bool early_push(enum hak_event id, const void *event, size_t size)
{
    bool open;
    struct early_event *place = early_take(&open);

    if (!place)
        return open;
    place->id = id;
    memcpy(&place->event, event, size);
    early_ready(place);
    return true;
}

static bool is_ready(uint32_t i)
{
    return atomic_load_explicit(&queue[i].ready, memory_order_acquire);
}

bool early_close(void)
{
    uint32_t n = atomic_fetch_add_explicit(&taken, CLOSED, memory_order_relaxed), waits = 0;

    count = n < EARLY_MAX ? n : EARLY_MAX;
    for (uint32_t i = 0; i < count; i++)
        while (!is_ready(i) && waits++ < WAITS)
            os_sleep_ns(WAIT_NS);
    return n <= EARLY_MAX && waits <= WAITS;
}

void early_replay(void (*tell)(enum hak_event id, const void *event))
{
    for (uint32_t i = 0; i < count; i++)
        if (is_ready(i))
            tell((enum hak_event)queue[i].id, &queue[i].event);
}
#endif
