#include "aftermath.h"

#include "dump.h"
#include "listener.h"
#include "os.h"

#if HAK_TRACE

/* Of a series: its next one is another. */
#define SERIES_NS 60000000000u

/* Since the first of a series. */
static const uint64_t after_ns[] = {20000000u, 1000000000u};
#define PHASES (sizeof(after_ns) / sizeof(after_ns[0]))

static struct {
    _Atomic uint64_t began;      /* 0: no series */
    _Atomic uint64_t not_before; /* the next one */
    uint32_t told;               /* phases; the tick's, or the end's */
} aftermath;

/* Between two of a kind. */
#define ALERT_NS 10000000u

static _Atomic uint64_t alert_next[HAK_TROUBLE_DOUBLE_FREE + 1];

void aftermath_alert(enum hak_trouble_what what)
{
    struct hak_ev_trouble event = {.what = what};
    uint64_t now, next;

    if (trace_busy() || !listener_wants(HAK_EV_trouble))
        return;
    now = os_now_ns();
    next = atomic_load_explicit(&alert_next[what], memory_order_relaxed);
    if (now >= next && atomic_compare_exchange_strong(&alert_next[what], &next, now + ALERT_NS))
        listener_emit(HAK_EV_trouble, &event, sizeof(event));
}

void aftermath_note(enum hak_trouble_what what)
{
    uint64_t none = 0, now;

    aftermath_alert(what);
    if (likely(atomic_load_explicit(&aftermath.began, memory_order_relaxed) != 0) || trace_busy() ||
        !listener_wants(HAK_EV_aftermath))
        return;
    now = os_now_ns();
    if (now >= atomic_load_explicit(&aftermath.not_before, memory_order_relaxed))
        (void)atomic_compare_exchange_strong(&aftermath.began, &none, now);
}

void aftermath_tick(uint64_t now_ns)
{
    uint64_t began = atomic_load_explicit(&aftermath.began, memory_order_relaxed);

    if (!began || now_ns < began || now_ns - began < after_ns[aftermath.told])
        return;
    dump_afterwards(now_ns);
    trace_aftermath(++aftermath.told, now_ns - began);
    if (aftermath.told < PHASES)
        return;
    aftermath.told = 0;
    atomic_store_explicit(&aftermath.not_before, began + SERIES_NS, memory_order_relaxed);
    atomic_store_explicit(&aftermath.began, 0, memory_order_relaxed);
}

void aftermath_at_exit(void)
{
    uint64_t began = atomic_exchange(&aftermath.began, 0);

    if (began)
        trace_aftermath(aftermath.told + 1, os_now_ns() - began);
}

void aftermath_forked(void)
{
    aftermath.told = 0;
    atomic_store_explicit(&aftermath.began, 0, memory_order_relaxed);
}

#endif
