#include "map.h"

#include "memory.h"

#define FIRST_SLOTS 16u

static void insert(struct map *m, uint64_t key, void *value)
{
    uint32_t i = map_hash(key) & m->mask;

    while (m->slots[i].value && m->slots[i].key != key)
        i = (i + 1) & m->mask;
    if (!m->slots[i].value)
        m->used++;
    m->slots[i] = (struct map_slot){key, value};
}

static void grow(struct map *m)
{
    struct map old = *m;
    uint32_t slots = old.slots ? (old.mask + 1) * 2 : FIRST_SLOTS;

    *m = (struct map){memory_new(slots * sizeof(*m->slots)), slots - 1, 0};
    for (uint32_t i = 0; old.slots && i <= old.mask; i++)
        if (old.slots[i].value)
            insert(m, old.slots[i].key, old.slots[i].value);
    free(old.slots);
}

void map_put(struct map *m, uint64_t key, void *value)
{
    if (!m->slots || (uint64_t)(m->used + 1) * 8 > (uint64_t)(m->mask + 1) * 5)
        grow(m);
    insert(m, key, value);
}

void *map_take(struct map *m, uint64_t key)
{
    uint32_t hole = map_hash(key) & m->mask;
    void *value;

    if (!m->slots)
        return NULL;
    while (m->slots[hole].value && m->slots[hole].key != key)
        hole = (hole + 1) & m->mask;
    value = m->slots[hole].value;
    if (!value)
        return NULL;
    for (uint32_t i = (hole + 1) & m->mask; m->slots[i].value; i = (i + 1) & m->mask) {
        uint32_t home = map_hash(m->slots[i].key) & m->mask;

        /* Whoever would still be found from its home may fill the hole. */
        if (((i - home) & m->mask) >= ((i - hole) & m->mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].value = NULL;
    m->used--;
    return value;
}

void map_each(const struct map *m, void (*each)(void *value, void *arg), void *arg)
{
    for (uint32_t i = 0; m->slots && i <= m->mask; i++)
        if (m->slots[i].value)
            each(m->slots[i].value, arg);
}

void map_free(struct map *m)
{
    free(m->slots);
    *m = (struct map){NULL, 0, 0};
}
