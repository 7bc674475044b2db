#include "superslab.h"

#include <errno.h>
#include <sys/mman.h>

#include "ace.h"
#include "os.h"

static _Atomic uint64_t mapped_bytes;

/* At a limit every request comes here, often several times, and each would cost system calls
 * that fail. What was refused is refused again, unasked, for so many calls. */
#define REFUSALS 32

static _Atomic uint32_t refuse;
static _Atomic int refuse_errno;

static void *map_or_refuse(size_t size)
{
    uint32_t left = atomic_load_explicit(&refuse, memory_order_relaxed);
    void *p;

    if (unlikely(left)) {
        atomic_store_explicit(&refuse, left - 1, memory_order_relaxed);
        errno = atomic_load_explicit(&refuse_errno, memory_order_relaxed);
        return NULL;
    }
    p = os_map_aligned(size, size);
    /* What ACE's layers keep idle comes first. Their locks are taken below any of the callers'. */
    if (!p && ace_reclaim())
        p = os_map_aligned(size, size);
    if (!p && size == (size_t)1 << SS_LG_MIN) {
        atomic_store_explicit(&refuse_errno, errno, memory_order_relaxed);
        atomic_store_explicit(&refuse, REFUSALS, memory_order_relaxed);
    }
    return p;
}

struct superslab *ss_map(unsigned lg, enum hak_ss_kind kind)
{
    size_t size = (size_t)1 << lg;
    struct superslab *ss = map_or_refuse(size);

    if (!ss)
        return NULL;
    ss->lg = (uint8_t)lg;
    ss->kind = (uint8_t)kind;
    ss->slabs = (uint16_t)(size >> SLAB_LG);
    atomic_init(&ss->unused, (uint32_t)(((uint64_t)1 << ss->slabs) - 1));
    if (!pagemap_set(ss, size, (int)lg)) {
        munmap(ss, size);
        return NULL;
    }
    atomic_fetch_add_explicit(&mapped_bytes, size, memory_order_relaxed);
    return ss;
}

void ss_unmap(struct superslab *ss)
{
    size_t size = (size_t)1 << ss->lg;
    int saved = errno;

    pagemap_set(ss, size, 0);
    munmap(ss, size);
    atomic_fetch_sub_explicit(&mapped_bytes, size, memory_order_relaxed);
    errno = saved;
}

uint64_t ss_mapped_bytes(void)
{
    return atomic_load_explicit(&mapped_bytes, memory_order_relaxed);
}

void slab_bind(struct slab *s, struct owner *owner, unsigned cls, uint32_t was)
{
    bool same = info_state(was) != SLAB_UNUSED && info_cls(was) == cls;

    s->gen++;
    if (!same) {
        s->freelist = NULL;
        s->nfree = 0;
    }
    s->used = 0;
    atomic_store_explicit(&s->owner, owner, memory_order_relaxed);
    slab_set_info(s, info_make(cls, SLAB_ACTIVE, s->nfree));
}

bool slab_remote_push(struct slab *s, struct block *first, struct block *last, unsigned cls)
{
    uintptr_t old = atomic_load_explicit(&s->remote, memory_order_relaxed);
    uintptr_t new;

    do {
        block_link(last, (struct block *)(old & ~REMOTE_FLAGS), cls);
        new = (uintptr_t)first | (old & REMOTE_FLAGS);
        if (!(old & REMOTE_FLAGS))
            new |= REMOTE_QUEUED;
    } while (!atomic_compare_exchange_weak_explicit(&s->remote, &old, new, memory_order_acq_rel,
                                                    memory_order_relaxed));
    /* Without QUEUED set by us, s may be given up by its owner from here on. */
    return !(old & REMOTE_FLAGS);
}

struct block *slab_remote_take(struct slab *s, uintptr_t flags)
{
    uintptr_t old =
        atomic_fetch_and_explicit(&s->remote, REMOTE_FLAGS & ~flags, memory_order_acq_rel);

    return (struct block *)(old & ~REMOTE_FLAGS);
}

unsigned slab_remote_collect(struct slab *s, struct block *chain, unsigned cls)
{
    unsigned n = 0;
    bool lost = false;

    while (chain) {
        struct block *b = chain;

        chain = block_unlink(b, cls, HAK_AT_REMOTE_DRAIN, &lost);
        block_link(b, s->freelist, cls);
        s->freelist = b;
        n++;
    }
    s->nfree = (uint16_t)(s->nfree + n);
    s->used = (uint16_t)(s->used - n);
    return n;
}
