#include "pagemap.h"

#include <sys/mman.h>

#include "os.h"

_Atomic(struct pagemap_leaf *) pagemap_root[PAGEMAP_ROOTS];

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
    munmap(fresh, sizeof(*fresh));
    return leaf;
}

bool pagemap_set(const void *base, size_t size, unsigned lg)
{
    uintptr_t first = (uintptr_t)base >> PAGEMAP_GRANULE_LG;
    uintptr_t count = size >> PAGEMAP_GRANULE_LG;

    for (uintptr_t g = first; g < first + count; g++)
        if (!leaf_of(g >> PAGEMAP_LEAF_LG))
            return false;
    for (uintptr_t g = first; g < first + count; g++)
        atomic_store_explicit(&leaf_of(g >> PAGEMAP_LEAF_LG)->lg[g & ((1u << PAGEMAP_LEAF_LG) - 1)],
                              (uint8_t)lg, memory_order_release);
    return true;
}
