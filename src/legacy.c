#include "legacy.h"

#include <errno.h>

#include "config.h"
#include "lock.h"
#include "oom.h"
#include "os.h"
#include "reserve.h"
#include "sysmalloc.h"

static struct {
    struct lock lock;
    struct owner owner;
    /* The SuperSlab whose never-bound slabs each class takes next. */
    struct superslab *ss[CLASSES];
    /* All of them, linked by next_kept. */
    _Atomic(struct superslab *) all;
} legacy;

void legacy_init(void)
{
    owner_init(&legacy.owner, OWNER_LEGACY);
}

/* Gives the legacy owner a fresh slab of cls; false if no SuperSlab can be mapped. */
static bool grow(unsigned cls)
{
    struct superslab *ss = legacy.ss[cls];
    uint32_t mask = ss ? atomic_load_explicit(&ss->unused, memory_order_relaxed) : 0;
    struct slab *s;

    if (!mask) {
        uint64_t began = os_now_ns();

        if (!ss_may_map(HAK_LEGACY) ||
            !(ss = ss_map(config.ss_lg ? config.ss_lg : SS_LG_MIN, HAK_LEGACY)))
            return false;
        trace_superslab_map((uintptr_t)ss, ss->lg, ss->slabs, HAK_LEGACY, cls, os_now_ns() - began);
        legacy.ss[cls] = ss;
        ss->next_kept = atomic_load_explicit(&legacy.all, memory_order_relaxed);
        atomic_store_explicit(&legacy.all, ss, memory_order_release);
        mask = atomic_load_explicit(&ss->unused, memory_order_relaxed);
    }
    s = &ss->slab[__builtin_ctz(mask)];
    atomic_store_explicit(&ss->unused, mask & (mask - 1), memory_order_relaxed);
    slab_bind(s, &legacy.owner, cls, 0);
    owner_set_current(&legacy.owner, s, cls);
    return true;
}

static void *legacy_block(unsigned cls)
{
    struct chain c;
    bool lost = false;

    if (!lost_take(&legacy.lock))
        return NULL;
    c = owner_take(&legacy.owner, cls, 1);
    if (!c.head && grow(cls))
        c = owner_take(&legacy.owner, cls, 1);
    lock_give(&legacy.lock);
    if (c.head)
        (void)block_unlink(c.head, cls, HAK_AT_REFILL, &lost);
    return lost ? NULL : c.head;
}

/* The common end of a request that the system's malloc answered. */
static void *from_system(void *p, unsigned cls, size_t size, size_t align, enum hak_legacy_why why)
{
    if (!p && why == HAK_WHY_IN_TRACER)
        p = reserve_take(size, align);
    if (p)
        trace_legacy_alloc(p, size, cls, HAK_SYSTEM_MALLOC, why);
    else
        oom(size, align, errno);
    return p;
}

void *legacy_alloc(unsigned cls, size_t size, size_t align, enum hak_legacy_why why)
{
    void *p = legacy_block(cls);

    if (!p)
        return legacy_system(cls, size, align, why);
    trace_legacy_alloc(p, size, cls, HAK_LEGACY_SUPERSLAB, why);
    return p;
}

void *legacy_system(unsigned cls, size_t size, size_t align, enum hak_legacy_why why)
{
    /* Its size may be asked for, and the caller may use that: sanitizers take the one byte that
     * they name for a block of none as freed. */
    size_t bytes = size ? size : 1;
    void *p = align ? sys_memalign(align, bytes) : sys_malloc(bytes);

    return from_system(p, cls, size, align, why);
}

void *legacy_system_zeroed(size_t count, size_t size, enum hak_legacy_why why)
{
    return from_system(sys_calloc(count, size), CLASS_NONE, count * size, 0, why);
}

void legacy_each(void (*each)(struct superslab *ss, void *arg), void *arg)
{
    struct superslab *ss = atomic_load_explicit(&legacy.all, memory_order_acquire);

    for (; ss; ss = ss->next_kept)
        each(ss, arg);
}

/* Somebody was in the middle of changing the owner's lists. */
static void sort_anew(struct superslab *ss, void *unused)
{
    uint32_t mask = 0;

    (void)unused;
    for (unsigned no = 0; no < ss->slabs; no++) {
        uint32_t info = slab_info(&ss->slab[no]);

        if (info_state(info) == SLAB_UNUSED)
            mask |= 1u << no;
        else
            owner_take_over(&legacy.owner, &ss->slab[no], info_cls(info));
    }
    atomic_store_explicit(&ss->unused, mask, memory_order_relaxed);
}

void legacy_fork(enum fork_step step)
{
    if (step == FORK_CHILD)
        owner_after_fork(&legacy.owner);
    if (lost_step(&legacy.lock, step)) {
        owner_begin_anew(&legacy.owner);
        legacy_each(sort_anew, NULL);
    }
}
