#include "witness.h"

#include <stdio.h>
#include <string.h>

#include "listener.h"
#include "scenario.h"

static struct witnessed kept[WITNESS_MAX];
static _Atomic unsigned count;
static void (*inside)(void);
static volatile int wanted[HAK_EVENTS];
static void *volatile recorders[HAK_EVENTS];

static const char *const names[] = {
#define HAK_EVENT(name, ...) #name,
#include "events.def"
#undef HAK_EVENT
};

static void keep(enum hak_event id, const void *event, size_t size)
{
    unsigned n = atomic_fetch_add(&count, 1);

    check(n < WITNESS_MAX);
    kept[n].id = id;
    memcpy((char *)&kept[n] + offsetof(struct witnessed, process_start), event, size);
    if (inside)
        inside();
}

#define HAK_EVENT(name, ...)                                      \
    static void on_##name(const void *event)                      \
    {                                                             \
        keep(HAK_EV_##name, event, sizeof(struct hak_ev_##name)); \
    }
#include "events.def"
#undef HAK_EVENT

static void on_fork(sigset_t *saved)
{
    (void)saved;
}

static const struct hak_trace_ops ops = {
    .abi = HAK_TRACE_ABI,
    .events = HAK_EVENTS,
#define HAK_EVENT(name, ...) .emit[HAK_EV_##name] = on_##name,
#include "events.def"
#undef HAK_EVENT
#define HAK_EVENT(name, ...) .state[HAK_EV_##name] = &wanted[HAK_EV_##name],
#include "events.def"
#undef HAK_EVENT
#define HAK_EVENT(name, ...) .recorders[HAK_EV_##name] = &recorders[HAK_EV_##name],
#include "events.def"
#undef HAK_EVENT
    .before_fork = on_fork,
    .after_fork_parent = on_fork,
    .after_fork_child = on_fork,
};

void witness_begin(void)
{
    for (unsigned id = 0; id < HAK_EVENTS; id++) {
        wanted[id] = id != HAK_EV_process_start && id != HAK_EV_alloc && id != HAK_EV_free;
        recorders[id] = kept;
    }
    atomic_store(&listener_ops, &ops);
}

void witness_want(enum hak_event id, bool yes)
{
    wanted[id] = yes;
}

void witness_join(enum hak_event id)
{
    recorders[id] = (char *)recorders[id] + 1;
}

void witness_hook(void (*hook)(void))
{
    inside = hook;
}

void witness_forget(void)
{
    atomic_store(&count, 0);
}

unsigned witness_all(void)
{
    return atomic_load(&count);
}

const struct witnessed *witness_at(unsigned n)
{
    return &kept[n];
}

unsigned witness_count(enum hak_event id)
{
    unsigned n = 0;

    for (unsigned i = 0; i < witness_all(); i++)
        n += kept[i].id == id;
    return n;
}

const struct witnessed *witness_nth(enum hak_event id, unsigned n)
{
    for (unsigned i = 0; i < witness_all(); i++)
        if (kept[i].id == id && n-- == 0)
            return &kept[i];
    fprintf(stderr, "there is no such %s event\n", names[id]);
    scenario_fail(__FILE__, __LINE__, "the event was emitted");
}

const char *witness_name(enum hak_event id)
{
    return names[id];
}
