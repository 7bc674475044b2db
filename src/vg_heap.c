#include "vg_heap.h"

#if HAK_VALGRIND
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <valgrind/memcheck.h>

#include "config.h"
#include "hakmem.h"
#include "process.h"
#include "reserve.h"
#include "sysmalloc.h"
#include "tiny.h"
#include "vg.h"
#include "vg_blocks.h"

#define MALLOC_ALIGN 16u
/* Of one class, at a time, beside what was asked for. */
#define STOCK_BYTES 16384u

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

static uintptr_t same(uintptr_t thread, uintptr_t n)
{
    (void)thread;
    return n;
}

/* The real CPU keeps no account of what is defined. Not inline: after a request to Valgrind a
 * function cannot end in a jump. */
static NOINLINE size_t defined(size_t n)
{
    return VALGRIND_NON_SIMD_CALL1(same, n);
}

/* The program's number n, which may not be all defined: memcheck reports that here, once, as its
 * own malloc does, and not wherever we look at it again. Not a function, which would be shown. */
#define KNOW(n)                   \
    do {                          \
        if ((n) == 0)             \
            __asm__ volatile(""); \
        (n) = defined(n);         \
    } while (0)

struct answer {
    void *p;     /* a spare block, added; NULL: none */
    size_t size; /* what was asked for, all defined */
};

/* Not by a variable of the caller's, who could not end in a jump then. */
static inline __attribute__((always_inline)) struct answer spare_block(size_t size)
{
    struct answer a = {.size = 0};

    a.p = vg_blocks_reuse(size, &a.size);
    return a;
}

/* The leak search looks into registers too: before a function returns a block, its address must be
 * nowhere else. */
static inline __attribute__((always_inline)) void clean_registers(void)
{
#if defined(__x86_64__)
    __asm__ volatile("xor %%ecx, %%ecx; xor %%edx, %%edx; xor %%esi, %%esi; xor %%edi, %%edi;"
                     "xor %%r8d, %%r8d; xor %%r9d, %%r9d; xor %%r10d, %%r10d; xor %%r11d, %%r11d"
                     :
                     :
                     : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc");
#endif
}

/* ---- the slabs below ---- */

static void give(void *start)
{
    int lg = pagemap_lookup(start);

    tiny_free_slow(ss_at(start, (unsigned)lg), start);
}

/* A block of class cls from a slab. */
static void *from_slab(unsigned cls, size_t size, size_t align)
{
    void *start = tiny_alloc_class(cls, size, align);

    /* Such a block is better asked for without red zones. */
    if (start && pagemap_lookup(start) <= 0) {
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
    if (align == MALLOC_ALIGN)
        return class_of(size);
    cls = geometry_class_aligned(size, align);
    return cls < 0 ? CLASSES : (unsigned)cls;
}

/* Where blocks of class cls have just run out more will be wanted, and the way to the slabs is long
 * under memcheck. */
static void stock_up(unsigned cls)
{
    uint32_t wanted = STOCK_BYTES / geometry[cls].stride;

    while (!vg_blocks_stock(sll_of(cls), cls, wanted)) {
        void *start = from_slab(cls, geometry[cls].stride, MALLOC_ALIGN);

        if (!start)
            return;
        if (!vg_blocks_spare(start, cls)) {
            give(start);
            return;
        }
    }
}

static void *take_with_red_zones(size_t size, size_t align)
{
    size_t lead = align < VG_RED_ZONE ? VG_RED_ZONE : align;
    size_t whole = lead + size + VG_RED_ZONE;
    unsigned cls = class_for(whole, align);
    char *start;

    if (cls == CLASSES)
        return NULL;
    process_poke();
    start = from_slab(cls, whole, align);
    if (start && !vg_blocks_add(start + lead, vg_extent_make(size, lead, cls))) {
        give(start);
        start = NULL;
    }
    if (start && align == MALLOC_ALIGN && !trace_attached())
        stock_up(cls);
    return start ? start + lead : NULL;
}

/* Room for a block of size bytes at a multiple of align, a power of two or 0, not announced yet;
 * NULL if libc's malloc, with which Valgrind knows its way, is to serve the request. */
static NOINLINE void *take(size_t size, size_t align)
{
    int saved = errno;
    void *p;

    if (size > config.memcheck_slabs || align > SS_HEADER || trace_busy() || !config.use_superslab)
        return NULL;
    vg_enter();
    p = take_with_red_zones(size, align < MALLOC_ALIGN ? MALLOC_ALIGN : align);
    vg_leave();
    errno = saved;
    return p;
}

/* After memcheck has been told that a block is freed: others have waited long enough. */
static NOINLINE void settle(void)
{
    void *start;

    vg_enter();
    while ((start = vg_blocks_waited()))
        give(start);
    vg_leave();
}

/* Is there anything to settle? Not a function: Valgrind would show it as one, inlined, in the
 * program's reports. */
#define UNSETTLED(e) unlikely((e)&VG_OTHERS_GO)

/* Announces the block p of n bytes, or, where p is NULL, has Valgrind give one of its own: p then,
 * NULL if it cannot. One instruction asks for both, so that blocks which a line of the program got
 * and lost are one finding whatever their sizes; and in the caller, whose name is shown. */
#define ANNOUNCE(p, n, zeroed)                                                           \
    do {                                                                                 \
        uintptr_t what_ = (p) ? VG_USERREQ__MALLOCLIKE_BLOCK : VG_USERREQ__CLIENT_CALL1; \
        uintptr_t of_ = (p) ? (uintptr_t)(p) : vg_malloc_of_valgrind;                    \
        uintptr_t answer_;                                                               \
                                                                                         \
        /* The compiler shall not part what is asked for one and for the other. */       \
        __asm__ volatile("" : "+r"(what_), "+r"(of_));                                   \
        answer_ = VALGRIND_DO_CLIENT_REQUEST_EXPR(0, what_, of_, n, 0, zeroed, 0);       \
        if (unlikely(!(p)) && !((p) = (void *)answer_))                                  \
            errno = ENOMEM;                                                              \
    } while (0)

/* The program may have forbidden itself parts of its block. */
static NOINLINE void copy(void *to, const void *p, size_t size)
{
    vg_enter();
    memcpy(to, p, size);
    vg_leave();
}

/* ---- malloc ---- */

NOINLINE void *vg_malloc(size_t size)
{
    struct answer a;

    if (unlikely(!asked()))
        return hak_malloc(size);
    a = spare_block(size);
    if (unlikely(!a.p))
        a.p = take(a.size, 0);
    ANNOUNCE(a.p, a.size, 0);
    clean_registers();
    return a.p;
}
SHOWN_AS(malloc);

NOINLINE void vg_free(void *p)
{
    vg_extent e;

    if (unlikely(!asked())) {
        hak_free(p);
        return;
    }
    e = vg_blocks_retire(p);
    /* Valgrind's own, or freed before, or never a block: Valgrind has the words for it. */
    if (unlikely(!e)) {
        sys_free(p);
        return;
    }
    VALGRIND_FREELIKE_BLOCK(p, 0);
    if (UNSETTLED(e))
        settle();
}
SHOWN_AS(free);

/* On the real CPU, by stores of 16 bytes: the CPU's own loop begins anew, slowly, at each page that
 * the kernel has to bring. p: a block's, a multiple of 16. */
static uintptr_t zero(uintptr_t thread, uintptr_t p, uintptr_t size)
{
    typedef uint64_t pair __attribute__((vector_size(16), may_alias));

    (void)thread;
    for (; size >= sizeof(pair); size -= sizeof(pair), p += sizeof(pair))
        *(volatile pair *)p = (pair){0, 0};
    for (; size; size--)
        *(volatile char *)p++ = 0;
    return 0;
}

static inline bool overflows(size_t count, size_t size)
{
    size_t bytes;

    return __builtin_mul_overflow(count, size, &bytes);
}

NOINLINE void *vg_calloc(size_t count, size_t size)
{
    struct answer a;
    bool ours;

    if (unlikely(!asked()))
        return hak_calloc(count, size);
    KNOW(count);
    KNOW(size);
    /* Valgrind looks at both numbers, and has words for what is no number of bytes. */
    if (unlikely((count | size) > PTRDIFF_MAX || overflows(count, size)))
        return sys_calloc(count, size);
    a = spare_block(count * size);
    if (unlikely(!a.p))
        a.p = take(a.size, 0);
    ours = a.p != NULL;
    ANNOUNCE(a.p, a.size, 1);
    if (likely(a.p != NULL))
        VALGRIND_NON_SIMD_CALL2(zero, a.p, a.size);
    if (!ours)
        VALGRIND_MAKE_MEM_DEFINED(a.p, a.size);
    clean_registers();
    return a.p;
}
SHOWN_AS(calloc);

/* Always moves, as memcheck's does, so that whoever still has the old address is found out. */
NOINLINE void *vg_realloc(void *p, size_t size)
{
    vg_extent e;
    size_t kept;
    void *to;

    if (unlikely(!asked()))
        return hak_realloc(p, size);
    if (!p)
        return vg_malloc(size);
    KNOW(size);
    if (!size) {
        vg_free(p);
        return NULL;
    }
    e = vg_blocks_find(p);
    /* Valgrind looks at the size first, and refuses. */
    if (unlikely(!e || size > PTRDIFF_MAX))
        return sys_realloc(p, size);
    kept = size < vg_extent_size(e) ? size : vg_extent_size(e);
    to = spare_block(size).p;
    if (unlikely(!to))
        to = take(size, 0);
    ANNOUNCE(to, size, 0);
    if (unlikely(!to))
        return NULL;
    copy(to, p, kept);
    e = vg_blocks_retire(p);
    VALGRIND_FREELIKE_BLOCK(p, 0);
    if (UNSETTLED(e))
        settle();
    clean_registers();
    return to;
}
SHOWN_AS(realloc);

/* ---- aligned ---- */

/* Libc's, which Valgrind has replaced: those that only this path asks for. */
struct aligned {
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    void *(*valloc)(size_t);
};

static struct aligned libcs;

/* Before the program runs: dlsym() waits for the loader's lock. */
__attribute__((constructor)) static void find_libcs(void)
{
    if (vg_tool == VG_NONE)
        return;
    *(void **)&libcs.posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
    *(void **)&libcs.aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
    *(void **)&libcs.valloc = dlsym(RTLD_NEXT, "valloc");
}

/* A constructor that runs before ours gets the same by another name. */
static bool libcs_ready(void)
{
    return likely(libcs.valloc != NULL);
}

static NOINLINE int early(void **out, size_t align, size_t size)
{
    void *p = sys_memalign(align, size);

    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

NOINLINE void *vg_memalign(size_t align, size_t size)
{
    void *p;

    if (unlikely(!asked()))
        return hak_memalign(align, size);
    KNOW(align);
    KNOW(size);
    p = is_pow2(align) ? take(size, align) : NULL;
    if (unlikely(!p))
        return sys_memalign(align, size);
    VALGRIND_MALLOCLIKE_BLOCK(p, size, 0, 0);
    clean_registers();
    return p;
}
SHOWN_AS(memalign);

NOINLINE void *vg_aligned_alloc(size_t align, size_t size)
{
    void *p;

    if (unlikely(!asked()))
        return hak_aligned_alloc(align, size);
    KNOW(align);
    KNOW(size);
    p = is_pow2(align) ? take(size, align) : NULL;
    if (unlikely(!p))
        return libcs_ready() ? libcs.aligned_alloc(align, size) : sys_memalign(align, size);
    VALGRIND_MALLOCLIKE_BLOCK(p, size, 0, 0);
    clean_registers();
    return p;
}
SHOWN_AS(aligned_alloc);

NOINLINE int vg_posix_memalign(void **out, size_t align, size_t size)
{
    void *p;

    if (unlikely(!asked()))
        return hak_posix_memalign(out, align, size);
    KNOW(align);
    KNOW(size);
    if (!is_pow2(align) || align % sizeof(void *) != 0)
        return EINVAL;
    p = take(size, align);
    if (unlikely(!p))
        return libcs_ready() ? libcs.posix_memalign(out, align, size) : early(out, align, size);
    VALGRIND_MALLOCLIKE_BLOCK(p, size, 0, 0);
    *out = p;
    clean_registers();
    return 0;
}
SHOWN_AS(posix_memalign);

NOINLINE void *vg_valloc(size_t size)
{
    if (unlikely(!asked()))
        return hak_valloc(size);
    return libcs_ready() ? libcs.valloc(size) : sys_memalign(getauxval(AT_PAGESZ), size);
}
SHOWN_AS(valloc);

NOINLINE void *vg_pvalloc(size_t size)
{
    size_t page = getauxval(AT_PAGESZ);

    if (unlikely(!asked()))
        return hak_pvalloc(size);
    KNOW(size);
    return sys_memalign(page, size > SIZE_MAX - page ? size : align_up(size ? size : 1, page));
}
SHOWN_AS(pvalloc);

size_t vg_malloc_usable_size(void *p)
{
    vg_extent e;

    if (unlikely(!asked()))
        return hak_malloc_usable_size(p);
    if (unlikely(reserve_holds(p)))
        return reserve_size(p);
    e = vg_blocks_find(p);
    return e ? vg_extent_size(e) : sys_usable_size(p);
}
#endif
