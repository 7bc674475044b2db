#include "resident.h"

#if HAK_TRACE

#include <string.h>

#include "ace_huge.h"
#include "ace_large.h"
#include "ace_mid.h"
#include "kernel.h"
#include "os.h"
#include "pagemap.h"
#include "registry.h"
#include "reserve.h"
#include "superslab.h"
#include "thread.h"

/* What one system call tells of: pages, if they are as small as can be. */
#define PAGES 4096u
#define ASKED ((size_t)PAGES << 12)
#define APART 1000u

static struct {
    unsigned char page[PAGES]; /* 1: in memory */
    uint64_t next;             /* not before */
} look;

/* The size bytes at p, whole pages, ASKED at most: which of them are in memory. What is not all
 * mapped any more is not. */
static bool ask(const void *p, size_t size)
{
    return kernel_call(SYS_mincore, p, size, look.page) == 0;
}

/* A page that was only read is the kernel's one page of zeros, which it counts for nobody. */
static bool all_zero(const char *page)
{
    const uint64_t *words = (const uint64_t *)(uintptr_t)page;

    for (size_t i = 0; i < os_page() / sizeof(*words); i++)
        if (__atomic_load_n(&words[i], __ATOMIC_RELAXED))
            return false;
    return true;
}

/* look_in: at what lies in the pages, too. */
static uint64_t bytes_in_memory(const char *p, size_t size, bool look_in)
{
    size_t page = os_page();
    uint64_t bytes = 0;

    for (const char *end = p + align_up(size, page); p < end; p += ASKED) {
        size_t part = (size_t)(end - p) < ASKED ? (size_t)(end - p) : ASKED;

        if (!ask(p, part))
            continue;
        for (size_t at = 0; at < part; at += page)
            if ((look.page[at / page] & 1) && !(look_in && all_zero(p + at)))
                bytes += page;
    }
    return bytes;
}

/* ---- granules ---- */

static uint64_t *slab_sum(struct resident *r, uint32_t info)
{
    switch (info_state(info)) {
    case SLAB_UNUSED: return &r->unbound;
    case SLAB_ACTIVE: return &r->active[info_cls(info) % CLASSES];
    default: return &r->empty;
    }
}

/* Of what was asked for, the bytes in memory between two places. */
static uint64_t bytes_between(size_t from, size_t to, size_t page)
{
    uint64_t pages = 0;

    for (size_t i = from / page; i < to / page; i++)
        pages += look.page[i] & 1;
    return pages * page;
}

/* A granule of a SuperSlab, whose slabs may be smaller than a page. */
static void add_slabs(struct resident *r, char *base, unsigned lg)
{
    size_t page = os_page(), step = page > SLAB_SIZE ? page : SLAB_SIZE;
    _Atomic uint32_t *info = &pagemap_leaf_below(base, PAGEMAP_ROOTS)->info[pagemap_slab(base)];

    if (!ask(base, PAGEMAP_GRANULE))
        return;
    for (size_t at = 0; at < PAGEMAP_GRANULE; at += step) {
        uint32_t of = atomic_load_explicit(&info[at >> SLAB_LG], memory_order_relaxed);
        uint64_t *sum = slab_sum(r, of), bytes = bytes_between(at, at + step, page);

        if (at == 0 && ss_at(base, lg) == (void *)base && (look.page[0] & 1)) {
            bytes -= SS_HEADER;
            r->headers += SS_HEADER;
        }
        *sum += bytes;
    }
}

/* A granule of a region: what is known of it lies at its beginning. */
static void add_region(struct resident *r, const struct space *sp, char *base)
{
    size_t page = os_page(), head = 0;

    if (region_of(base) == (void *)base)
        head = (size_t)sp->reserved << UNIT_LG;
    if (!ask(base, PAGEMAP_GRANULE))
        return;
    r->headers += bytes_between(0, head, page);
    r->layer[sp->layer] += bytes_between(head, PAGEMAP_GRANULE, page);
}

static void add_huge(struct resident *r, const char *base)
{
    r->layer[HAK_HUGE] += bytes_in_memory(base, huge_mapped(base), false);
}

static void add_granule(void *base, int kind, void *sums)
{
    struct resident *r = sums;

    switch (kind) {
    case PAGEMAP_MID: add_region(r, &mid_space, base); break;
    case PAGEMAP_LARGE: add_region(r, &large_space, base); break;
    case PAGEMAP_HUGE: add_huge(r, base); break;
    case PAGEMAP_HUGE_TAIL: break;
    default: add_slabs(r, base, (unsigned)kind); break;
    }
}

/* ---- all ---- */

static void add_table(const void *p, size_t size, void *bytes)
{
    uintptr_t from = (uintptr_t)p & -os_page();

    *(uint64_t *)bytes += bytes_in_memory((const char *)from, (uintptr_t)p + size - from, true);
}

void resident_take(struct resident *r, bool must)
{
    uint64_t began = os_now_ns();
    int saved = errno;

    memset(r, 0, sizeof(*r));
    r->known = (must || began >= look.next) && ask((void *)((uintptr_t)&look & -os_page()), 1);
    if (r->known) {
        pagemap_each_granule(add_granule, r);
        pagemap_tables(add_table, &r->tables);
        registry_tables(add_table, &r->tables);
        thread_tables(add_table, &r->tables);
        reserve_tables(add_table, &r->tables);
        look.next = began + APART * (os_now_ns() - began);
    }
    errno = saved;
}

#endif
