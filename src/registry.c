#include "registry.h"

#include <errno.h>

#include "os.h"

#define CHUNK_LG 8
#define CHUNKS 16384 /* 4 Mi SuperSlabs: 2 TiB at the smallest size */

struct entry {
    _Atomic(struct superslab *) ss;
    _Atomic uint32_t listed; /* bit i: slot i is on a list or in a popper's hands */
    _Atomic uint32_t lost;   /* bit i: slot i's slab has lost free blocks */
    uint32_t next_free;
    /* Slot below this one on whichever list it is. Read by losers of a pop's race as well. */
    _Atomic uint32_t next[SS_MAX_SLABS];
};

static _Atomic(struct entry *) chunks[CHUNKS];
static _Atomic uint32_t last_id;
static uint32_t first_free;

static struct entry *entry_of(uint32_t id)
{
    struct entry *chunk = atomic_load_explicit(&chunks[id >> CHUNK_LG], memory_order_acquire);

    return chunk ? &chunk[id & ((1u << CHUNK_LG) - 1)] : NULL;
}

static bool chunk_ensure(uint32_t id)
{
    _Atomic(struct entry *) *place = &chunks[id >> CHUNK_LG];
    struct entry *none = NULL, *fresh;
    size_t size = sizeof(struct entry) << CHUNK_LG;

    if (atomic_load_explicit(place, memory_order_acquire))
        return true;
    fresh = os_map(size);
    if (!fresh)
        return false;
    if (!atomic_compare_exchange_strong_explicit(place, &none, fresh, memory_order_acq_rel,
                                                 memory_order_acquire))
        (void)os_unmap(fresh, size);
    return true;
}

void registry_tables(table_each *each, void *arg)
{
    each(chunks, sizeof(chunks), arg);
    for (uint32_t i = 0; i <= registry_count() >> CHUNK_LG; i++) {
        struct entry *chunk = atomic_load_explicit(&chunks[i], memory_order_acquire);

        if (chunk)
            each(chunk, sizeof(*chunk) << CHUNK_LG, arg);
    }
}

/* How many free numbers are looked at for one that no list knows any more. */
#define FREE_TRIES 8

static uint32_t free_number(void)
{
    uint32_t *place = &first_free;

    for (unsigned i = 0; i < FREE_TRIES && *place; i++) {
        struct entry *e = entry_of(*place);
        uint32_t id = *place;

        if (!atomic_load_explicit(&e->listed, memory_order_acquire)) {
            *place = e->next_free;
            return id;
        }
        place = &e->next_free;
    }
    return 0;
}

void registry_recycle(uint32_t id)
{
    entry_of(id)->next_free = first_free;
    first_free = id;
}

bool registry_number(struct superslab *ss)
{
    uint32_t id = free_number();

    if (id) {
        ss->id = id;
        return true;
    }
    id = atomic_load_explicit(&last_id, memory_order_relaxed);
    /* A number counts once its entry is there: what failed asks for the same one again. */
    do {
        if ((id + 1) >> CHUNK_LG >= CHUNKS) {
            errno = ENOMEM;
            return false;
        }
        if (!chunk_ensure(id + 1))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&last_id, &id, id + 1, memory_order_release,
                                                    memory_order_relaxed));
    ss->id = id + 1;
    return true;
}

void registry_publish(struct superslab *ss)
{
    /* Release: whoever finds it sees its header. */
    atomic_store_explicit(&entry_of(ss->id)->ss, ss, memory_order_release);
}

void registry_remove(struct superslab *ss)
{
    atomic_store(&entry_of(ss->id)->ss, NULL);
}

bool registry_is_free(uint32_t id)
{
    uint32_t free = first_free;

    while (free && free != id)
        free = entry_of(free)->next_free;
    return free != 0;
}

uint32_t registry_count(void)
{
    return atomic_load_explicit(&last_id, memory_order_acquire);
}

struct superslab *registry_ss(uint32_t id)
{
    struct entry *e = id >> CHUNK_LG < CHUNKS ? entry_of(id) : NULL;

    /* Ordered after the reader's announcement, before the remover's look for readers: both
     * sides sequentially consistent (pool_enter, thread_all_past). */
    return e ? atomic_load(&e->ss) : NULL;
}

struct slab *slot_slab(uint32_t slot)
{
    struct superslab *ss = registry_ss(slot >> 5);

    return ss ? &ss->slab[slot & 31] : NULL;
}

static _Atomic uint32_t *next_of(uint32_t slot)
{
    return &entry_of(slot >> 5)->next[slot & 31];
}

/* The bit of slot in its entry, from 0 to 1: true to the one who turned it. */
bool slot_take(uint32_t slot)
{
    uint32_t bit = 1u << (slot & 31);

    return !(atomic_fetch_or(&entry_of(slot >> 5)->listed, bit) & bit);
}

void slot_let_go(uint32_t slot)
{
    atomic_fetch_and(&entry_of(slot >> 5)->listed, ~(1u << (slot & 31)));
}

bool slot_listed(uint32_t slot)
{
    return atomic_load(&entry_of(slot >> 5)->listed) & 1u << (slot & 31);
}

bool slot_push(struct slot_list *list, uint32_t slot)
{
    uint64_t old, new;

    if (!slot_take(slot))
        return false;
    old = atomic_load_explicit(&list->head, memory_order_relaxed);
    atomic_fetch_add_explicit(&list->count, 1, memory_order_relaxed);
    do {
        atomic_store_explicit(next_of(slot), (uint32_t)old, memory_order_relaxed);
        new = ((old >> 32) + 1) << 32 | slot;
        /* Release: the popper sees the slab as we left it. */
    } while (!atomic_compare_exchange_weak_explicit(&list->head, &old, new, memory_order_release,
                                                    memory_order_relaxed));
    return true;
}

uint32_t slot_pop(struct slot_list *list)
{
    uint64_t old = atomic_load_explicit(&list->head, memory_order_acquire);
    uint64_t new;

    do {
        if ((uint32_t)old == SLOT_NONE)
            return SLOT_NONE;
        /* May be another list's link by now; the count in head then makes the CAS fail. */
        new = ((old >> 32) + 1) << 32 |
              atomic_load_explicit(next_of((uint32_t)old), memory_order_relaxed);
    } while (!atomic_compare_exchange_weak_explicit(&list->head, &old, new, memory_order_acquire,
                                                    memory_order_acquire));
    hak_assert(slot_listed((uint32_t)old));
    count_down(&list->count, 1);
    return (uint32_t)old;
}

void slot_pop_all(struct slot_list *list, void (*each)(uint32_t slot, void *arg), void *arg)
{
    uint64_t old = atomic_load_explicit(&list->head, memory_order_acquire);
    uint32_t slot;

    while ((uint32_t)old != SLOT_NONE && !atomic_compare_exchange_weak_explicit(
                                             &list->head, &old, ((old >> 32) + 1) << 32 | SLOT_NONE,
                                             memory_order_acquire, memory_order_acquire))
        ;
    for (slot = (uint32_t)old; slot != SLOT_NONE;) {
        uint32_t next = atomic_load_explicit(next_of(slot), memory_order_relaxed);

        count_down(&list->count, 1);
        slot_let_go(slot);
        each(slot, arg);
        slot = next;
    }
}

void slot_lost_free(uint32_t slot)
{
    atomic_fetch_or_explicit(&entry_of(slot >> 5)->lost, 1u << (slot & 31), memory_order_relaxed);
}

bool slot_found_free(uint32_t slot)
{
    uint32_t bit = 1u << (slot & 31);
    _Atomic uint32_t *lost = &entry_of(slot >> 5)->lost;

    return atomic_load_explicit(lost, memory_order_relaxed) & bit &&
           atomic_fetch_and_explicit(lost, ~bit, memory_order_relaxed) & bit;
}

void slots_settle(struct slot_list *const list[], unsigned n)
{
    uint32_t last = registry_count(), slot;

    for (uint32_t id = 1; id <= last; id++) {
        atomic_store_explicit(&entry_of(id)->listed, 0, memory_order_relaxed);
    }
    for (unsigned i = 0; i < n; i++) {
        uint32_t count = 0;

        for (slot = (uint32_t)atomic_load_explicit(&list[i]->head, memory_order_relaxed);
             slot != SLOT_NONE; count++) {
            (void)slot_take(slot);
            slot = atomic_load_explicit(next_of(slot), memory_order_relaxed);
        }
        atomic_store_explicit(&list[i]->count, count, memory_order_relaxed);
    }
}
