/*
 * The interface of malloc. Each function decides between the tiny path, ACE and the system's
 * malloc and keeps the promises of the standards about NULL, errno and size 0; the paths do the
 * rest.
 *
 * HAK_INTERPOSE: the standard names are exported as well, as aliases.
 */
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>

#include "ace.h"
#include "calls.h"
#include "demand.h"
#include "foreign.h"
#include "hakmem.h"
#include "oom.h"
#include "pool.h"
#include "process.h"
#include "reserve.h"
#include "sysmalloc.h"
#include "tiny.h"
#include "vg.h"
#include "vg_heap.h"

/* What tiny_malloc() leaves: larger sizes, an empty list, any size while allocations are
 * recorded. */
static NOINLINE void *beyond_tiny(size_t size)
{
    void *p;

    lost_enter();
    p = tiny_malloc_slow(size);
    lost_leave();
    return p;
}

/* The same, and any size under Valgrind. */
static NOINLINE void *malloc_slow(size_t size)
{
    VG_INSTEAD(malloc, size);
    return beyond_tiny(size);
}

EXPORT LINE_ALIGNED void *hak_malloc(size_t size)
{
    /* Here, for memcheck reports a size that is not defined where it is looked at first. */
    if (likely(size < malloc_gate()))
        return tiny_pop(size, malloc_slow);
    return malloc_slow(size);
}

static NOINLINE bool look_at_foreign(const void *p)
{
    enum hak_invalid_why why;

    process_init();
    if (foreign_look(p, &why))
        return true;
    trace_invalid_free(0, 0, CLASS_NONE, p, why);
    return false;
}

/* May p, not ours, be a block of the system's malloc? What cannot is reported. */
static bool accept_foreign(const void *p)
{
    return likely(foreign_is_known(p)) || look_at_foreign(p);
}

/* What tiny_free() leaves: a pointer of ACE's or of another allocator, a misuse, NULL, and any
 * pointer while frees are recorded or under Valgrind. */
static NOINLINE void free_slow(void *p)
{
    int kind;

    VG_INSTEAD(free, p);
    lost_enter();
    kind = pagemap_lookup(p);
    if (kind > 0) {
        tiny_free_slow(ss_at(p, (unsigned)kind), p);
    } else if (kind && ace_owns(p, kind)) {
        ace_free(p, kind);
    } else if (p && !reserve_holds(p) && accept_foreign(p)) {
        trace_free(p, CLASS_NONE);
        sys_free(p);
    }
    lost_leave();
}

EXPORT LINE_ALIGNED void hak_free(void *p)
{
    tiny_free(p, free_slow);
}

/* What is more than a size_t can say ends as every request does that is too large: refused, and
 * told. */
static NOINLINE void *refuse_overflow(void)
{
    void *none;

    lost_enter();
    none = ace_alloc(SIZE_MAX, 0, false);
    lost_leave();
    return none;
}

EXPORT void *hak_calloc(size_t count, size_t size)
{
    size_t bytes;
    void *p;

    VG_INSTEAD(calloc, count, size);
    if (calls_told())
        return calls_calloc(count, size);
    if (__builtin_mul_overflow(count, size, &bytes))
        return refuse_overflow();
    if (bytes <= TINY_MAX) {
        p = tiny_malloc(bytes, beyond_tiny);
        return p ? memset(p, 0, bytes) : NULL;
    }
    lost_enter();
    p = ace_alloc(bytes, 0, true);
    lost_leave();
    return p;
}

/* Would a block of stride bytes, kept for size bytes, be a reasonable one? Shrinking to less
 * than half moves, so that a large block does not stay bound by a small string. */
static bool fits_in_place(size_t size, size_t stride)
{
    return size <= stride && (stride <= 64 || size > stride / 2);
}

/* A block of size bytes with the contents of from, which has room bytes; NULL if there is none and
 * from is too small: a program that shrinks a block counts on it. */
static void *move(void *from, size_t room, size_t size)
{
    void *to = tiny_malloc(size, beyond_tiny);

    if (!to)
        return size <= room ? from : NULL;
    memcpy(to, from, room < size ? room : size);
    hak_free(from);
    return to;
}

static void *realloc_foreign(void *p, size_t size)
{
    void *to;

    if (reserve_holds(p))
        return move(p, reserve_size(p), size);
    if (!accept_foreign(p)) {
        errno = EINVAL;
        return NULL;
    }
    if (size <= TINY_MAX)
        return move(p, sys_usable_size(p), size);
    trace_free(p, CLASS_NONE);
    to = sys_realloc(p, size);
    if (to) {
        trace_alloc(to, size, CLASS_NONE);
    } else {
        trace_alloc(p, sys_usable_size(p), CLASS_NONE);
        oom(size, 0, errno);
    }
    return to;
}

static void *realloc_ace(void *p, int kind, size_t size)
{
    size_t usable = ace_usable(p, kind);
    void *to;

    if (!usable) {
        ace_report(p, kind);
        errno = EINVAL;
        return NULL;
    }
    lost_enter();
    to = ace_resize(p, kind, size);
    lost_leave();
    return to ? to : move(p, usable, size);
}

static void *realloc_tiny(struct superslab *ss, void *p, size_t size)
{
    uint32_t info, stride;

    if (!tiny_is_block(ss, p, &info)) {
        tiny_free_invalid(p, info);
        errno = EINVAL;
        return NULL;
    }
    if (block_looks_free(p, info_cls(info))) {
        tiny_double_free(p);
        errno = EINVAL;
        return NULL;
    }
    stride = geometry[info_cls(info)].stride;
    if (!fits_in_place(size, stride))
        return move(p, stride, size);
    trace_free(p, info_cls(info));
    trace_alloc(p, size, info_cls(info));
    return p;
}

EXPORT void *hak_realloc(void *p, size_t size)
{
    int kind;

    VG_INSTEAD(realloc, p, size);
    if (calls_told())
        return calls_realloc(p, size);
    if (!p)
        return hak_malloc(size);
    if (size == 0) {
        /* As glibc does, and C leaves open: freed, and NULL. */
        hak_free(p);
        return NULL;
    }
    kind = pagemap_lookup(p);
    if (kind > 0)
        return realloc_tiny(ss_at(p, (unsigned)kind), p, size);
    return kind && ace_owns(p, kind) ? realloc_ace(p, kind, size) : realloc_foreign(p, size);
}

EXPORT void *hak_reallocarray(void *p, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        return refuse_overflow();
    return hak_realloc(p, bytes);
}

static void *alloc_aligned_slow(size_t align, size_t size)
{
    int cls;

    process_init();
    if (align <= SS_HEADER && size <= TINY_MAX) {
        cls = geometry_class_aligned(size, size > 8 && align < 16 ? 16 : align);
        if (cls >= 0)
            return tiny_alloc_class((unsigned)cls, size, align);
    }
    return ace_alloc(size, align, false);
}

/* size bytes at a multiple of align, a power of two; NULL with ENOMEM. */
static void *alloc_aligned(size_t align, size_t size)
{
    void *p;

    if (calls_told())
        return calls_memalign(align, size);
    lost_enter();
    p = alloc_aligned_slow(align, size);
    lost_leave();
    return p;
}

EXPORT int hak_posix_memalign(void **out, size_t align, size_t size)
{
    int saved = errno;
    void *p;

    VG_INSTEAD(posix_memalign, out, align, size);
    if (calls_told())
        return calls_posix_memalign(out, align, size);
    if (!is_pow2(align) || align % sizeof(void *) != 0)
        return EINVAL;
    p = alloc_aligned(align, size);
    /* The error is the value returned; but some programs look at errno, where other allocators
     * leave it as well. */
    if (!p)
        return ENOMEM;
    errno = saved;
    *out = p;
    return 0;
}

EXPORT void *hak_aligned_alloc(size_t align, size_t size)
{
    VG_INSTEAD(aligned_alloc, align, size);
    if (!is_pow2(align)) {
        errno = EINVAL;
        return NULL;
    }
    return alloc_aligned(align, size);
}

EXPORT void *hak_memalign(size_t align, size_t size)
{
    VG_INSTEAD(memalign, align, size);
    /* As glibc does: an odd alignment is rounded up to the next power of two. */
    while (!is_pow2(align)) {
        if (align > SIZE_MAX / 2) {
            errno = EINVAL;
            return NULL;
        }
        align = align ? align + (align & -align) : sizeof(void *);
    }
    return alloc_aligned(align, size);
}

EXPORT void *hak_valloc(size_t size)
{
    VG_INSTEAD(valloc, size);
    return alloc_aligned(getauxval(AT_PAGESZ), size);
}

EXPORT void *hak_pvalloc(size_t size)
{
    size_t page = getauxval(AT_PAGESZ);

    VG_INSTEAD(pvalloc, size);
    if (size > SIZE_MAX - page)
        return refuse_overflow();
    return alloc_aligned(page, align_up(size ? size : 1, page));
}

EXPORT size_t hak_malloc_usable_size(void *p)
{
    enum hak_invalid_why why;
    uint32_t info;
    int kind;

    VG_INSTEAD(malloc_usable_size, p);
    kind = pagemap_lookup(p);
    if (kind > 0) {
        if (!tiny_is_block(ss_at(p, (unsigned)kind), p, &info) ||
            block_looks_free(p, info_cls(info)))
            return 0;
        return geometry[info_cls(info)].stride;
    }
    if (kind && ace_owns(p, kind))
        return ace_usable(p, kind);
    if (reserve_holds(p))
        return reserve_size(p);
    return p && foreign_may_be_block(p, &why) ? sys_usable_size(p) : 0;
}

EXPORT void hak_drain(void)
{
    lost_enter();
    vg_enter();
    tiny_drain();
    ace_drain();
    vg_leave();
    lost_leave();
}

EXPORT int hak_set_cap(unsigned cls, uint32_t cap)
{
    if (cls >= CLASSES)
        return EINVAL;
    process_init();
    trace_cap_change(cls, demand_set_cap(cls, cap), cap, HAK_CAP_API, 0);
    return 0;
}

EXPORT const char *hak_version(void)
{
    return HAK_VERSION;
}

#if HAK_INTERPOSE
#define ALIAS(name) EXPORT __attribute__((alias("hak_" #name)))
ALIAS(malloc) void *malloc(size_t);
ALIAS(free) void free(void *);
ALIAS(calloc) void *calloc(size_t, size_t);
ALIAS(realloc) void *realloc(void *, size_t);
ALIAS(reallocarray) void *reallocarray(void *, size_t, size_t);
ALIAS(posix_memalign) int posix_memalign(void **, size_t, size_t);
ALIAS(aligned_alloc) void *aligned_alloc(size_t, size_t);
ALIAS(memalign) void *memalign(size_t, size_t);
ALIAS(valloc) void *valloc(size_t);
ALIAS(pvalloc) void *pvalloc(size_t);
ALIAS(malloc_usable_size) size_t malloc_usable_size(void *);

/* The C library's own names for its malloc, which programs call that define malloc themselves; and
 * what old ones call. Without these, blocks of one malloc would come to the free of another. */
#define LIBC_ALIAS(of) EXPORT __attribute__((alias("hak_" #of)))
LIBC_ALIAS(malloc) void *__libc_malloc(size_t);
LIBC_ALIAS(free) void __libc_free(void *);
LIBC_ALIAS(calloc) void *__libc_calloc(size_t, size_t);
LIBC_ALIAS(realloc) void *__libc_realloc(void *, size_t);
LIBC_ALIAS(memalign) void *__libc_memalign(size_t, size_t);
LIBC_ALIAS(valloc) void *__libc_valloc(size_t);
LIBC_ALIAS(pvalloc) void *__libc_pvalloc(size_t);
LIBC_ALIAS(posix_memalign) int __posix_memalign(void **, size_t, size_t);
LIBC_ALIAS(free) void cfree(void *);
#endif
