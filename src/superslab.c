#include "superslab.h"

#include <errno.h>

#include "guard.h"
#include "os.h"
#include "vg.h"

static _Atomic uint64_t mapped_bytes;

/* At a limit every request comes here, and each would cost system calls that fail. What was
 * refused is refused again, unasked, until the pool has come so many times: only the pool makes
 * room and asks once more. */
#define REFUSALS 32

static _Atomic uint32_t refuse; /* 0: not at a limit */
static _Atomic int refuse_errno;

bool ss_may_map(enum hak_ss_kind kind)
{
    uint32_t left = atomic_load_explicit(&refuse, memory_order_relaxed);

    if (likely(!left) || (left == 1 && kind == HAK_POOL))
        return true;
    if (kind == HAK_POOL)
        atomic_store_explicit(&refuse, left - 1, memory_order_relaxed);
    errno = atomic_load_explicit(&refuse_errno, memory_order_relaxed);
    return false;
}

static void *map(size_t size, bool *guarded)
{
    void *p = guard_map(size, size, guarded);

    if (p) {
        atomic_store_explicit(&refuse, 0, memory_order_relaxed);
    } else if (size == (size_t)1 << SS_LG_MIN) {
        atomic_store_explicit(&refuse_errno, errno, memory_order_relaxed);
        atomic_store_explicit(&refuse, REFUSALS, memory_order_relaxed);
    }
    return p;
}

void ss_map_may_work(void)
{
    atomic_store_explicit(&refuse, 0, memory_order_relaxed);
}

struct superslab *ss_map(unsigned lg, enum hak_ss_kind kind)
{
    size_t size = (size_t)1 << lg;
    bool guarded;
    struct superslab *ss = map(size, &guarded);

    if (!ss)
        return NULL;
    if (!vg_hold_blocks(ss, size)) {
        (void)guard_unmap(ss, size, guarded);
        return NULL;
    }
    ss->guarded = guarded;
    ss->lg = (uint8_t)lg;
    ss->kind = (uint8_t)kind;
    ss->slabs = (uint16_t)(size >> SLAB_LG);
    atomic_init(&ss->unused, (uint32_t)(((uint64_t)1 << ss->slabs) - 1));
    if (!pagemap_set(ss, size, (int)lg)) {
        (void)guard_unmap(ss, size, guarded);
        return NULL;
    }
    atomic_fetch_add_explicit(&mapped_bytes, size, memory_order_relaxed);
    return ss;
}

void ss_unmap(struct superslab *ss)
{
    size_t size = (size_t)1 << ss->lg;

    for (unsigned no = 0; no < ss->slabs; no++)
        atomic_store_explicit(&ss_info(ss)[no], 0, memory_order_relaxed);
    pagemap_set(ss, size, 0);
    (void)guard_unmap(ss, size, ss->guarded);
    atomic_fetch_sub_explicit(&mapped_bytes, size, memory_order_relaxed);
}

uint64_t ss_mapped_bytes(void)
{
    return atomic_load_explicit(&mapped_bytes, memory_order_relaxed);
}

/* The slabs first to end - 1 without the pages of the header: what of them was given back. */
static size_t purge_run(struct superslab *ss, unsigned first, unsigned end)
{
    uintptr_t from = (uintptr_t)ss + ((uintptr_t)first << SLAB_LG);

    if (first == 0)
        from += SS_HEADER;
    return os_purge((void *)from, (uintptr_t)ss + ((uintptr_t)end << SLAB_LG) - from);
}

size_t ss_purgeable(unsigned no)
{
    size_t kept = no == 0 ? align_up(SS_HEADER, os_page()) : 0;

    return kept < SLAB_SIZE ? SLAB_SIZE - kept : 0;
}

/* The slabs first to end - 1, each for itself where they do not go together, since some of them
 * may be locked. */
static struct ss_purged purge_slabs(struct superslab *ss, unsigned first, unsigned end)
{
    struct ss_purged all = {0, purge_run(ss, first, end)};

    if (all.bytes || end - first == 1) {
        if (all.bytes || !ss_purgeable(first))
            all.slabs = (uint32_t)(((uint64_t)1 << end) - ((uint64_t)1 << first));
        return all;
    }
    for (; first < end; first++) {
        struct ss_purged one = purge_slabs(ss, first, first + 1);

        all.slabs |= one.slabs;
        all.bytes += one.bytes;
    }
    return all;
}

struct ss_purged ss_purge(struct superslab *ss, uint32_t mask)
{
    struct ss_purged all = {0, 0};

    while (mask) {
        unsigned first = (unsigned)__builtin_ctz(mask), end = first;
        struct ss_purged run;

        for (; end < ss->slabs && (mask >> end & 1); end++) {
            hak_assert(!ss->slab[end].used);
            ss->slab[end].freelist = NULL;
            ss->slab[end].nfree = 0;
        }
        run = purge_slabs(ss, first, end);
        all.slabs |= run.slabs;
        all.bytes += run.bytes;
        mask &= ~(uint32_t)(((uint64_t)1 << end) - 1);
    }
    return all;
}

void slab_set_owner(struct slab *s, struct owner *o, unsigned cls)
{
    struct pagemap_leaf *leaf = pagemap_leaf_below(s, PAGEMAP_ROOTS);
    uintptr_t at = pagemap_slab(s) + slab_no(s);

    atomic_store_explicit(&s->owner, o, memory_order_release);
    atomic_store_explicit(&leaf->origin[at], slab_reserved(slab_no(s)) | owner_tag(o, cls),
                          memory_order_relaxed);
}

void slab_bind(struct slab *s, struct owner *owner, unsigned cls, uint32_t was)
{
    bool same = info_state(was) != SLAB_UNUSED && info_cls(was) == cls;
    _Atomic uint32_t *reused = &slab_ss(s)->reused;
    uint32_t bit = 1u << slab_no(s);

    __atomic_store_n(&s->gen, s->gen + 1, __ATOMIC_RELAXED);
    if (!same) {
        s->freelist = NULL;
        s->nfree = 0;
    }
    slab_set_used(s, 0);
    if (!(atomic_load_explicit(reused, memory_order_relaxed) & bit))
        atomic_fetch_or_explicit(reused, bit, memory_order_relaxed);
    hak_assert(!(atomic_load_explicit(&s->remote, memory_order_relaxed) & ~REMOTE_FLAGS));
    slab_set_owner(s, owner, cls);
    slab_set_info(s, info_make(cls, SLAB_ACTIVE, s->nfree));
}

uintptr_t slab_remote_push(struct slab *s, struct block *first, struct block *last, unsigned cls)
{
    uintptr_t old = atomic_load_explicit(&s->remote, memory_order_relaxed);
    uintptr_t new;

    do {
        block_link_in_slab(last, (struct block *)(old & ~REMOTE_FLAGS), cls);
        new = (uintptr_t)first | (old & REMOTE_FLAGS);
        if (!(old & REMOTE_FLAGS))
            new |= REMOTE_QUEUED;
    } while (!atomic_compare_exchange_weak_explicit(&s->remote, &old, new, memory_order_acq_rel,
                                                    memory_order_relaxed));
    /* Without QUEUED set by us, s may be given up by its owner from here on. */
    return old & REMOTE_FLAGS;
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

    while (chain && n < s->used) {
        struct block *b = chain;

        chain = block_unlink_in_slab(b, cls, HAK_AT_REMOTE_DRAIN, &lost);
        if (unlikely(lost))
            break;
        block_link_in_slab(b, s->freelist, cls);
        s->freelist = b;
        n++;
    }
    s->nfree = (uint16_t)(s->nfree + n);
    slab_set_used(s, s->used - n);
    if (unlikely(chain != NULL)) {
        trace_double_free_late(slab_ref(s), chain);
        slab_give_up_free(s, info_carved(slab_info(s)));
    }
    return n;
}

/* A block of the queue may be taken and handed out while we look at it: its link is not followed
 * out of the slab, nor more often than there are blocks. */
NO_TSAN unsigned slab_remote_count(const struct slab *s, unsigned most)
{
    uintptr_t base = (uintptr_t)slab_blocks(slab_ss(s), slab_no(s)) & ~(uintptr_t)(SLAB_SIZE - 1);
    uintptr_t b = atomic_load_explicit(&s->remote, memory_order_acquire) & ~REMOTE_FLAGS;
    unsigned n = 0, used = slab_used(s), cls = slab_cls(s);

    while (b && n < most && n < used && (b & ~(uintptr_t)(SLAB_SIZE - 1)) == base && b % 8 == 0) {
        b = (uintptr_t)block_next((const struct block *)b, cls);
        n++;
    }
    return n;
}

void slab_give_up_free(struct slab *s, uint32_t carved)
{
    s->freelist = NULL;
    s->nfree = 0;
    slab_set_used(s, carved);
}

static struct block *nth_block(struct slab *s, unsigned cls, uint32_t i)
{
    return (struct block *)(slab_blocks(slab_ss(s), slab_no(s)) + (size_t)i * geometry[cls].stride);
}

/* The place of b on the freelist of s, from 1; of its end, if b is NULL. 0 if b is not on it, or
 * it leaves the slab or has more than nfree blocks. */
static uint32_t freelist_place(struct slab *s, unsigned cls, const struct block *b)
{
    uintptr_t first = (uintptr_t)nth_block(s, cls, 0);
    const struct block *at = s->freelist;
    uint32_t n = 1;

    for (; at && at != b && n <= s->nfree; n++, at = block_next(at, cls)) {
        uintptr_t off = (uintptr_t)at - first;

        if (off >= SLAB_SIZE || block_index(cls, (uint32_t)off) >= s->nfree)
            return 0;
    }
    return at == b ? n : 0;
}

#ifdef HAK_DEBUG
/* Of a longer freelist so many blocks are looked at. */
#define CHECKED_LINKS 64

bool slab_check_freelists = true;

void slab_check(const struct slab *s)
{
    uint32_t info = slab_info(s);
    unsigned cls = info_cls(info), carved = info_carved(info), n = 0;
    uintptr_t first = (uintptr_t)slab_blocks(slab_ss(s), slab_no(s));
    const struct block *b = s->freelist;

    hak_assert(ss_has(s));
    hak_assert(info_state(info) == SLAB_ACTIVE && cls < CLASSES);
    hak_assert(carved <= slab_capacity(cls, slab_no(s)));
    /* Fewer where some were lost with the threads of a fork's parent. */
    hak_assert(s->used + s->nfree <= (int)carved);
    hak_assert(!s->freelist == !s->nfree);
    if (!slab_check_freelists)
        return;
    for (; b && n < CHECKED_LINKS; b = block_next(b, cls), n++) {
        uintptr_t off = (uintptr_t)b - first;

        hak_assert(n < s->nfree);
        hak_assert(off < SLAB_SIZE && block_index(cls, (uint32_t)off) < carved);
        if (block_word(b, cls) != (block_expected(b, cls) ^ word_place(cls)))
            return;
    }
    hak_assert(b || n == s->nfree);
}
#endif

bool slab_all_free(struct slab *s, unsigned cls)
{
    for (uint32_t i = 0; i < s->nfree; i++) {
        struct block *b = nth_block(s, cls, i);

        if (likely(block_looks_free(b, cls)))
            continue;
        if (!freelist_place(s, cls, b)) {
            trace_double_free_late(slab_ref(s), b);
            return false;
        }
        word_report(b, cls, block_expected(b, cls) ^ word_place(cls), HAK_AT_REFILL);
    }
    return true;
}
