#include "vg_heap.h"

#if HAK_VALGRIND
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
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

/* In front of a block of more than a MiB: it may have a mapping, which begins with a byte that
 * memcheck knows as a block (vg_map()), to itself. */
#define RED_ZONE_HUGE 64u
#define MALLOC_ALIGN 16u
/* Of one class, at a time, beside what was asked for. */
#define STOCK_BYTES 16384u
/* Above this memcheck calls a size fishy, which it can do only for its own malloc. */
#define SIZE_MOST ((size_t)1 << 46)

/* For Valgrind, and only for it, since it shows the shortest of a function's names. */
#define SHOWN_AS(name)                                          \
    static __typeof__(vg_##name) shown_as_##name __asm__(#name) \
        __attribute__((alias("vg_" #name), used))

static NOINLINE bool ask(void)
{
    process_init();
    if (vg_tool == VG_NONE)
        return false;
    /* Not for the first time under a lock. */
    (void)sys_ready();
    return true;
}

static inline bool asked(void)
{
    return likely(vg_tool > VG_UNASKED) || ask();
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

/* An allocator's block of size bytes at a multiple of align. */
static void *from_layers(unsigned cls, size_t size, size_t align)
{
    void *start = cls < CLASSES ? tiny_alloc_class(cls, size, align)
                                : ace_alloc(size, align > MALLOC_ALIGN ? align : 0, false);

    /* Not from a slab or layer: such a block is better asked for without red zones. */
    if (start && pagemap_lookup(start) == PAGEMAP_NONE) {
        sys_free(start);
        return NULL;
    }
    return start;
}

static unsigned class_for(size_t size, size_t align)
{
    int cls;

    if (size > TINY_MAX || align > SS_HEADER)
        return CLASSES;
    if (size > 8 && align == MALLOC_ALIGN)
        return class_of(size);
    cls = geometry_class_aligned(size, align);
    return cls < 0 ? CLASSES : (unsigned)cls;
}

/* Where blocks of class cls have just run out more will be wanted, and the way to the slabs is long
 * under memcheck. */
static void stock_up(unsigned cls)
{
    for (uint32_t n = STOCK_BYTES / geometry[cls].stride; n; n--) {
        void *start = from_layers(cls, geometry[cls].stride, MALLOC_ALIGN);

        if (!start)
            return;
        if (!vg_blocks_spare(start, cls)) {
            give(start);
            return;
        }
    }
}

/* A layer may give less than the stride of the size's class. */
static unsigned ace_kind(const void *start, size_t whole)
{
    size_t stride;
    unsigned kind = vg_ace_kind(whole, &stride);

    return ace_usable(start, pagemap_lookup(start)) >= stride ? kind : VG_SINGULAR;
}

static void *take_with_red_zones(size_t size, size_t align)
{
    size_t red_zone = size < LARGE_MAX / 2 ? VG_RED_ZONE : RED_ZONE_HUGE;
    size_t lead = align < red_zone ? red_zone : align;
    size_t whole = lead + size + VG_RED_ZONE;
    unsigned cls = class_for(whole, align);
    unsigned kind = cls;
    char *start;

    vg_enter();
    process_poke();
    start = from_layers(cls, whole, align);
    if (start && cls == CLASSES && lead == VG_RED_ZONE && whole > TINY_MAX)
        kind = ace_kind(start, whole);
    if (start && !vg_blocks_add(start + lead, vg_extent_make(size, lead, kind))) {
        give(start);
        start = NULL;
    }
    if (start && cls < CLASSES && align == MALLOC_ALIGN && !trace_attached())
        stock_up(cls);
    vg_leave();
    return start ? start + lead : NULL;
}

/* The extent of a block that the layers know: helgrind and DRD need neither red zones nor
 * quarantine. */
static vg_extent layers_extent(const void *p)
{
    vg_extent e = 0;
    uint32_t info;
    int kind;

    vg_enter();
    kind = pagemap_lookup(p);
    if (kind > 0 && tiny_is_block(ss_at(p, (unsigned)kind), p, &info))
        e = vg_extent_make(geometry[info_cls(info)].stride, 1, info_cls(info));
    else if (kind < 0 && ace_owns(p, kind))
        e = vg_extent_make(ace_usable(p, kind), 1, CLASSES);
    vg_leave();
    return e;
}

static void *take_tracked(size_t size, size_t align)
{
    void *p;

    vg_enter();
    process_poke();
    p = from_layers(class_for(size, align), size, align);
    if (p)
        vg_track(p, vg_extent_size(layers_extent(p)));
    vg_leave();
    return p;
}

/* Room for a block of size bytes at a multiple of align, not announced yet; NULL if libc's malloc,
 * with which Valgrind knows its way, is to serve the request. */
static NOINLINE void *take(size_t size, size_t align)
{
    int saved = errno;
    void *p;

    if (size > SIZE_MOST || align > SIZE_MOST || trace_busy() || !config.use_superslab)
        return NULL;
    if (align < MALLOC_ALIGN)
        align = MALLOC_ALIGN;
    p = vg_tool == VG_MEMCHECK ? take_with_red_zones(size, align) : take_tracked(size, align);
    errno = saved;
    return p;
}

/* After the tool has been told that p is freed. */
static NOINLINE void settle(void *p, vg_extent e)
{
    void *start = p;

    if (vg_tool == VG_MEMCHECK)
        start = vg_blocks_waited();
    else
        vg_untrack(p, vg_extent_size(e));
    vg_enter();
    while (start) {
        give(start);
        start = vg_tool == VG_MEMCHECK ? vg_blocks_waited() : NULL;
    }
    vg_leave();
}

/* Is there anything to settle? Not a function: Valgrind would show it as one, inlined, in the
 * program's reports. */
#define UNSETTLED(e) unlikely(vg_tool != VG_MEMCHECK || ((e)&VG_OTHERS_GO))

static NOINLINE vg_extent find(const void *p)
{
    return vg_tool == VG_MEMCHECK ? vg_blocks_find(p) : layers_extent(p);
}

static NOINLINE vg_extent retire(const void *p)
{
    return vg_tool == VG_MEMCHECK ? vg_blocks_retire(p) : layers_extent(p);
}

/* ---- malloc ---- */

NOINLINE void *vg_malloc(size_t size)
{
    void *p;

    if (unlikely(!asked()))
        return hak_malloc(size);
    p = vg_blocks_reuse(size);
    if (unlikely(!p) && !(p = take(size, 0)))
        return sys_malloc(size);
    VALGRIND_MALLOCLIKE_BLOCK(p, size, 0, 0);
    return p;
}
SHOWN_AS(malloc);

NOINLINE void vg_free(void *p)
{
    vg_extent e;

    if (unlikely(!asked())) {
        hak_free(p);
        return;
    }
    e = retire(p);
    /* Valgrind's own, or freed before, or never a block: Valgrind has the words for it. */
    if (unlikely(!e)) {
        sys_free(p);
        return;
    }
    VALGRIND_FREELIKE_BLOCK(p, 0);
    if (UNSETTLED(e))
        settle(p, e);
}
SHOWN_AS(free);

NOINLINE void *vg_calloc(size_t count, size_t size)
{
    size_t bytes;
    void *p;

    if (unlikely(!asked()))
        return hak_calloc(count, size);
    if (__builtin_mul_overflow(count, size, &bytes))
        return sys_calloc(count, size);
    p = vg_blocks_reuse(bytes);
    if (unlikely(!p) && !(p = take(bytes, 0)))
        return sys_calloc(count, size);
    VALGRIND_MALLOCLIKE_BLOCK(p, bytes, 0, 1);
    vg_enter();
    memset(p, 0, bytes);
    vg_leave();
    return p;
}
SHOWN_AS(calloc);

/* Always moves, as memcheck's does, so that whoever still has the old address is found out. */
NOINLINE void *vg_realloc(void *p, size_t size)
{
    vg_extent e;
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
    if (unlikely(!e || size > PTRDIFF_MAX))
        return sys_realloc(p, size);
    to = vg_blocks_reuse(size);
    if (unlikely(!to) && !(to = take(size, 0)))
        to = sys_malloc(size);
    else
        VALGRIND_MALLOCLIKE_BLOCK(to, size, 0, 0);
    if (unlikely(!to))
        return NULL;
    vg_enter();
    memcpy(to, p, size < vg_extent_size(e) ? size : vg_extent_size(e));
    vg_leave();
    e = retire(p);
    VALGRIND_FREELIKE_BLOCK(p, 0);
    if (UNSETTLED(e))
        settle(p, e);
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
    VALGRIND_MALLOCLIKE_BLOCK(p, size, 0, 0);
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
    VALGRIND_MALLOCLIKE_BLOCK(p, size, 0, 0);
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
        VALGRIND_MALLOCLIKE_BLOCK(p, size, 0, 0);
    else if (!(p = sys_memalign(align, size)))
        return ENOMEM;
    *out = p;
    return 0;
}
SHOWN_AS(posix_memalign);

NOINLINE void *vg_valloc(size_t size)
{
    size_t page = getauxval(AT_PAGESZ);
    void *p;

    if (unlikely(!asked()))
        return hak_valloc(size);
    p = take(size, page);
    if (unlikely(!p))
        return sys_memalign(page, size);
    VALGRIND_MALLOCLIKE_BLOCK(p, size, 0, 0);
    return p;
}
SHOWN_AS(valloc);

NOINLINE void *vg_pvalloc(size_t size)
{
    size_t page = getauxval(AT_PAGESZ);
    void *p;

    if (unlikely(!asked()))
        return hak_pvalloc(size);
    if (size > SIZE_MAX - page)
        return sys_memalign(page, size);
    size = align_up(size ? size : 1, page);
    p = take(size, page);
    if (unlikely(!p))
        return sys_memalign(page, size);
    VALGRIND_MALLOCLIKE_BLOCK(p, size, 0, 0);
    return p;
}
SHOWN_AS(pvalloc);

size_t vg_malloc_usable_size(void *p)
{
    vg_extent e;

    if (unlikely(!asked()))
        return hak_malloc_usable_size(p);
    e = find(p);
    return e ? vg_extent_size(e) : sys_usable_size(p);
}
#endif
