#include "pagemap.h"

#include "os.h"

_Atomic(struct pagemap_leaf *) pagemap_root[PAGEMAP_ROOTS];

static unsigned in_leaf(uintptr_t granule)
{
    return granule & ((1u << PAGEMAP_LEAF_LG) - 1);
}

/* The leaf for a root entry, mapped if it is not there yet; NULL with errno. */
static struct pagemap_leaf *leaf_of(uintptr_t root)
{
    struct pagemap_leaf *leaf = atomic_load_explicit(&pagemap_root[root], memory_order_acquire);
    struct pagemap_leaf *fresh;

    if (leaf)
        return leaf;
    fresh = os_map(sizeof(*fresh));
    if (!fresh)
        return NULL;
    if (atomic_compare_exchange_strong_explicit(&pagemap_root[root], &leaf, fresh,
                                                memory_order_acq_rel, memory_order_acquire))
        return fresh;
    (void)os_unmap(fresh, sizeof(*fresh));
    return leaf;
}

bool pagemap_set(const void *base, size_t size, int kind)
{
    uintptr_t first = (uintptr_t)base >> PAGEMAP_GRANULE_LG;
    uintptr_t count = (size + PAGEMAP_GRANULE - 1) >> PAGEMAP_GRANULE_LG;

    for (uintptr_t g = first; g < first + count; g++)
        if (!leaf_of(g >> PAGEMAP_LEAF_LG))
            return false;
    for (uintptr_t g = first; g < first + count; g++)
        atomic_store_explicit(&leaf_of(g >> PAGEMAP_LEAF_LG)->kind[in_leaf(g)], (int8_t)kind,
                              memory_order_release);
    return true;
}

_Atomic uint64_t *pagemap_word(const void *p)
{
    uintptr_t granule = (uintptr_t)p >> PAGEMAP_GRANULE_LG;

    return &leaf_of(granule >> PAGEMAP_LEAF_LG)->word[in_leaf(granule)];
}

void pagemap_each_granule(void (*each)(void *base, int kind, void *arg), void *arg)
{
    for (uintptr_t root = 0; root < PAGEMAP_ROOTS; root++) {
        struct pagemap_leaf *leaf = atomic_load_explicit(&pagemap_root[root], memory_order_acquire);

        for (uintptr_t g = 0; leaf && g < 1u << PAGEMAP_LEAF_LG; g++) {
            int kind = atomic_load_explicit(&leaf->kind[g], memory_order_relaxed);

            if (kind != PAGEMAP_NONE)
                each((void *)((root << PAGEMAP_LEAF_LG | g) << PAGEMAP_GRANULE_LG), kind, arg);
        }
    }
}

void pagemap_tables(table_each *each, void *arg)
{
    each(pagemap_root, sizeof(pagemap_root), arg);
    for (uintptr_t root = 0; root < PAGEMAP_ROOTS; root++) {
        struct pagemap_leaf *leaf = atomic_load_explicit(&pagemap_root[root], memory_order_acquire);

        if (leaf)
            each(leaf, sizeof(*leaf), arg);
    }
}

void pagemap_each(int kind, size_t size, void (*each)(void *base, void *arg), void *arg)
{
    uintptr_t step = size >> PAGEMAP_GRANULE_LG;

    for (uintptr_t root = 0; root < PAGEMAP_ROOTS; root++) {
        struct pagemap_leaf *leaf = atomic_load_explicit(&pagemap_root[root], memory_order_acquire);

        for (uintptr_t g = 0; leaf && g < 1u << PAGEMAP_LEAF_LG; g += step)
            if (atomic_load_explicit(&leaf->kind[g], memory_order_relaxed) == kind)
                each((void *)((root << PAGEMAP_LEAF_LG | g) << PAGEMAP_GRANULE_LG), arg);
    }
}
