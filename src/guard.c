#include "guard.h"

#include "config.h"
#include "os.h"
#include "vg.h"

static _Atomic uint32_t guards;

static bool one_more(void)
{
    if (atomic_fetch_add_explicit(&guards, 1, memory_order_relaxed) < (uint32_t)config.guards)
        return true;
    atomic_fetch_sub_explicit(&guards, 1, memory_order_relaxed);
    return false;
}

static void one_less(void)
{
    atomic_fetch_sub_explicit(&guards, 1, memory_order_relaxed);
}

void *guard_map(size_t size, size_t align, bool *guarded)
{
    char *p;

    /* Memcheck sees every write beyond a block. */
    *guarded = !vg_on() && one_more();
    if (!*guarded)
        return os_map_aligned(size, align);
    p = os_map_aligned(size + os_page(), align);
    if (!p) {
        one_less();
        *guarded = false;
        return NULL;
    }
    /* Refused where the process has all the mappings that it may have: the page is there, and
     * nothing uses it. */
    (void)os_forbid(p + size, os_page());
    return p;
}

bool guard_unmap(void *p, size_t size, bool guarded)
{
    if (guarded) {
        one_less();
        /* If it stays, it is a few addresses that nobody has. */
        (void)os_unmap_now((char *)p + size, os_page());
    }
    return os_unmap(p, size);
}
