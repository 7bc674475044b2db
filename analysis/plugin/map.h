/*
 * A hash table from a 64-bit key to a pointer: open addressing, linear probing, grown at 5/8
 * full. The table does not own what the pointers lead to. Key and value of a slot share a
 * cache line; a removed entry leaves no mark, those behind it move up.
 */
#ifndef HAK_MAP_H
#define HAK_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
    uint64_t key;
    void *value; /* NULL: free */
};

struct map {
    struct map_slot *slots;
    uint32_t mask; /* slots - 1 */
    uint32_t used;
};

void map_put(struct map *m, uint64_t key, void *value);
/* Removes the key; what it led to, or NULL. */
void *map_take(struct map *m, uint64_t key);
/* Calls each(value) for every value, in no particular order. */
void map_each(const struct map *m, void (*each)(void *value, void *arg), void *arg);
void map_free(struct map *m);

static inline uint32_t map_hash(uint64_t key)
{
    return (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 32);
}

static inline void *map_get(const struct map *m, uint64_t key)
{
    if (!m->slots)
        return NULL;
    for (uint32_t i = map_hash(key);; i++) {
        const struct map_slot *slot = &m->slots[i & m->mask];

        if (!slot->value || slot->key == key)
            return slot->value;
    }
}

#endif
