#include "vg_heap.h"

#if HAK_VALGRIND
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <valgrind/memcheck.h>

#include "ace.h"
#include "ace_class.h"
#include "config.h"
#include "hakmem.h"
#include "process.h"
#include "sysmalloc.h"
#include "tiny.h"
#include "vg.h"
#include "vg_blocks.h"

/* Bytes on both sides of a block. Memcheck describes an address up to 24 bytes away from a block as
 * near it, so that twice as many keep neighbours apart. */
#define RED_ZONE 32u
#define MALLOC_ALIGN 16u
/* In front of a block of more than a MiB: it may have a mapping, which begins with a byte that
 * memcheck knows as a block (vg_map()), to itself. */
#define RED_ZONE_HUGE 64u
/* Above this memcheck calls a size fishy, which it can do only for its own malloc. */
#define SIZE_MOST ((size_t)1 << 46)

/* For Valgrind, and only for it, since it shows the shortest of a function's names. */
#define SHOWN_AS(name)                                                                             \
    static __typeof__(vg_##name) shown_as_##name __asm__(#name)                                    \
        __attribute__((alias("vg_" #name), used))

static bool asked(void)
{
    if (unlikely(vg_tool == VG_UNASKED)) {
        process_init();
        /* Not for the first time under a lock. */
        if (vg_tool != VG_NONE)
            (void)sys_ready();
    }
    return vg_tool != VG_NONE;
}

/* ---- the allocator below ---- */

static void give(void *start)
{
    int kind = pagemap_lookup(start);

    if (kind > 0)
        tiny_free_slow(ss_at(start, (unsigned)kind), start);
    else
        ace_free(start, kind);
}

static void *from_layers(size_t size, size_t align)
{
    int cls = align <= SS_HEADER && size <= TINY_MAX ? geometry_class_aligned(size, align) : -1;
    void *start = cls >= 0 ? tiny_alloc_class((unsigned)cls, size, align)
                           : ace_alloc(size, align > MALLOC_ALIGN ? align : 0, false);

    /* Not from a slab or layer: such a block is better asked for without red zones. */
    if (start && pagemap_lookup(start) == PAGEMAP_NONE) {
        sys_free(start);
        return NULL;
    }
    return start;
}

/* Room for a block of size bytes at a multiple of align, not announced yet; NULL if libc's malloc,
 * with which Valgrind knows its way, is to serve the request. */
static NOINLINE void *take(size_t size, size_t align)
{
    size_t red_zone = size < LARGE_MAX / 2 ? RED_ZONE : RED_ZONE_HUGE;
    size_t lead = align < red_zone ? red_zone : align;
    int saved = errno;
    char *start, *p = NULL;

    if (size > SIZE_MOST || lead > SIZE_MOST || trace_busy() || !config.use_superslab)
        return NULL;
    vg_enter();
    process_poke();
    if (vg_tool != VG_MEMCHECK) {
        p = from_layers(size, align < MALLOC_ALIGN ? MALLOC_ALIGN : align);
        if (p)
            vg_track(p, size);
        vg_leave();
        errno = saved;
        return p;
    }
    start = from_layers(lead + size + RED_ZONE, align < MALLOC_ALIGN ? MALLOC_ALIGN : align);
    if (start && vg_blocks_add(start + lead, (struct vg_extent){size, lead}))
        p = start + lead;
    else if (start)
        give(start);
    vg_leave();
    errno = saved;
    return p;
}

/* p has been freed. Under memcheck it waits, and whoever has waited long enough goes home. */
static NOINLINE void keep(void *p, struct vg_extent e)
{
    void *start;

    vg_enter();
    if (vg_tool == VG_MEMCHECK) {
        vg_blocks_wait(p, e);
        while ((start = vg_blocks_waited()))
            give(start);
    } else {
        vg_untrack(p, e.size);
        give(p);
    }
    vg_leave();
}

/* The extent of a block that the layers know; helgrind and DRD need no red zones, and a table of
 * all blocks would have a lock, which would order what the program does not. */
static struct vg_extent layers_extent(const void *p)
{
    struct vg_extent e = {0, 0};
    uint32_t info;
    int kind;

    vg_enter();
    kind = pagemap_lookup(p);
    if (kind > 0 && tiny_is_block(ss_at(p, (unsigned)kind), p, &info))
        e = (struct vg_extent){geometry[info_cls(info)].stride, 1};
    else if (kind < 0 && ace_owns(p, kind))
        e = (struct vg_extent){ace_usable(p, kind), 1};
    vg_leave();
    return e;
}

static NOINLINE struct vg_extent find(const void *p)
{
    return vg_tool == VG_MEMCHECK ? vg_blocks_find(p) : layers_extent(p);
}

static NOINLINE struct vg_extent find_and_remove(const void *p)
{
    return vg_tool == VG_MEMCHECK ? vg_blocks_remove(p) : layers_extent(p);
}

/* ---- malloc ---- */

NOINLINE void *vg_malloc(size_t size)
{
    void *p;

    if (unlikely(!asked()))
        return hak_malloc(size);
    p = take(size, 0);
    if (unlikely(!p))
        return sys_malloc(size);
    VALGRIND_MALLOCLIKE_BLOCK(p, size, RED_ZONE, 0);
    return p;
}
SHOWN_AS(malloc);

NOINLINE void vg_free(void *p)
{
    struct vg_extent e;

    if (unlikely(!asked())) {
        hak_free(p);
        return;
    }
    e = find_and_remove(p);
    /* Valgrind's own, or freed before, or never a block: Valgrind has the words for it. */
    if (unlikely(!e.lead)) {
        sys_free(p);
        return;
    }
    /* As helgrind's own free(): whoever uses the block at the same time is in a race with it. */
    if (vg_tool == VG_HELGRIND)
        for (volatile char *at = p; at < (char *)p + e.size; at += 8)
            *at = *at;
    VALGRIND_FREELIKE_BLOCK(p, RED_ZONE);
    keep(p, e);
}
SHOWN_AS(free);

NOINLINE void *vg_calloc(size_t count, size_t size)
{
    size_t bytes;
    void *p;

    if (unlikely(!asked()))
        return hak_calloc(count, size);
    if (__builtin_mul_overflow(count, size, &bytes) || !(p = take(bytes, 0)))
        return sys_calloc(count, size);
    VALGRIND_MALLOCLIKE_BLOCK(p, bytes, RED_ZONE, 1);
    vg_enter();
    memset(p, 0, bytes);
    vg_leave();
    return p;
}
SHOWN_AS(calloc);

/* Always moves, as memcheck's does, so that whoever still has the old address is found out. */
NOINLINE void *vg_realloc(void *p, size_t size)
{
    struct vg_extent e;
    void *to;

    if (unlikely(!asked()))
        return hak_realloc(p, size);
    if (!p)
        return vg_malloc(size);
    if (!size) {
        vg_free(p);
        return NULL;
    }
    e = find(p);
    /* Memcheck looks at the size first, and refuses. */
    if (unlikely(!e.lead || size > PTRDIFF_MAX))
        return sys_realloc(p, size);
    to = take(size, 0);
    if (unlikely(!to))
        to = sys_malloc(size);
    else
        VALGRIND_MALLOCLIKE_BLOCK(to, size, RED_ZONE, 0);
    if (unlikely(!to))
        return NULL;
    vg_enter();
    memcpy(to, p, size < e.size ? size : e.size);
    vg_leave();
    (void)find_and_remove(p);
    VALGRIND_FREELIKE_BLOCK(p, RED_ZONE);
    keep(p, e);
    return to;
}
SHOWN_AS(realloc);

/* ---- aligned ---- */

NOINLINE void *vg_memalign(size_t align, size_t size)
{
    void *p;

    if (unlikely(!asked()))
        return hak_memalign(align, size);
    p = is_pow2(align) ? take(size, align) : NULL;
    if (unlikely(!p))
        return sys_memalign(align, size);
    VALGRIND_MALLOCLIKE_BLOCK(p, size, RED_ZONE, 0);
    return p;
}
SHOWN_AS(memalign);

NOINLINE void *vg_aligned_alloc(size_t align, size_t size)
{
    void *p;

    if (unlikely(!asked()))
        return hak_aligned_alloc(align, size);
    p = is_pow2(align) ? take(size, align) : NULL;
    if (unlikely(!p))
        return sys_memalign(align, size);
    VALGRIND_MALLOCLIKE_BLOCK(p, size, RED_ZONE, 0);
    return p;
}
SHOWN_AS(aligned_alloc);

NOINLINE int vg_posix_memalign(void **out, size_t align, size_t size)
{
    void *p;

    if (unlikely(!asked()))
        return hak_posix_memalign(out, align, size);
    if (!is_pow2(align) || align % sizeof(void *) != 0)
        return EINVAL;
    p = take(size, align);
    if (likely(p != NULL))
        VALGRIND_MALLOCLIKE_BLOCK(p, size, RED_ZONE, 0);
    else if (!(p = sys_memalign(align, size)))
        return ENOMEM;
    *out = p;
    return 0;
}
SHOWN_AS(posix_memalign);

NOINLINE void *vg_valloc(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *p;

    if (unlikely(!asked()))
        return hak_valloc(size);
    p = take(size, page);
    if (unlikely(!p))
        return sys_memalign(page, size);
    VALGRIND_MALLOCLIKE_BLOCK(p, size, RED_ZONE, 0);
    return p;
}
SHOWN_AS(valloc);

NOINLINE void *vg_pvalloc(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *p;

    if (unlikely(!asked()))
        return hak_pvalloc(size);
    if (size > SIZE_MAX - page)
        return sys_memalign(page, size);
    size = align_up(size ? size : 1, page);
    p = take(size, page);
    if (unlikely(!p))
        return sys_memalign(page, size);
    VALGRIND_MALLOCLIKE_BLOCK(p, size, RED_ZONE, 0);
    return p;
}
SHOWN_AS(pvalloc);

size_t vg_malloc_usable_size(void *p)
{
    struct vg_extent e;

    if (unlikely(!asked()))
        return hak_malloc_usable_size(p);
    e = find(p);
    return e.lead ? e.size : sys_usable_size(p);
}
#endif
