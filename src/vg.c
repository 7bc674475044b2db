#include "vg.h"

#if HAK_VALGRIND
#include <errno.h>
#include <string.h>
#include <valgrind/drd.h>
#include <valgrind/helgrind.h>
#include <valgrind/memcheck.h>

#include "lock.h"
#include "os.h"
#include "sysmalloc.h"
#include "trace.h"

enum vg_tool vg_tool = VG_UNASKED;

/* Each tool answers its own requests only. */
static enum vg_tool find_tool(void)
{
    char byte = 0;

    if (!RUNNING_ON_VALGRIND)
        return VG_NONE;
    if (VALGRIND_MAKE_MEM_DEFINED(&byte, 1))
        return VG_MEMCHECK;
    if (VALGRIND_HG_GET_ABITS(&byte, NULL, 1) == 1)
        return VG_HELGRIND;
    return DRD_GET_VALGRIND_THREADID ? VG_DRD : VG_NONE;
}

void vg_init(void)
{
    vg_tool = find_tool();
    if (!vg_on())
        return;
    atomic_store_explicit(&trace_malloc_gate, 0, memory_order_relaxed);
    atomic_store_explicit(&trace_free_gate, 0, memory_order_relaxed);
}

void vg_enter(void)
{
    VALGRIND_DISABLE_ERROR_REPORTING;
}

void vg_leave(void)
{
    VALGRIND_ENABLE_ERROR_REPORTING;
}

void vg_track(const void *p, size_t size)
{
    if (vg_tool == VG_HELGRIND) {
        VALGRIND_HG_ENABLE_CHECKING(p, size);
        return;
    }
    VALGRIND_DO_CLIENT_REQUEST_STMT(VG_USERREQ__DRD_FINISH_SUPPRESSION, p, size, 0, 0, 0);
    VALGRIND_DO_CLIENT_REQUEST_STMT(VG_USERREQ__DRD_CLEAN_MEMORY, p, size, 0, 0, 0);
}

void vg_untrack(const void *p, size_t size)
{
    if (vg_tool == VG_HELGRIND)
        VALGRIND_HG_DISABLE_CHECKING(p, size);
    else
        ANNOTATE_BENIGN_RACE_SIZED(p, size, "free");
}

/* ---- memory ---- */

/* What libc's malloc, which Valgrind has replaced by its own, gave us. The addresses are stored
 * complemented: the leak search must not find them. */
static struct {
    struct lock lock;
    uintptr_t *at;
    size_t count, room;
} maps;

/* With the lock held. */
static bool make_room(void)
{
    size_t room = maps.room ? maps.room * 2 : os_page() / sizeof(*maps.at);
    uintptr_t *at = os_map(room * sizeof(*at));

    if (!at)
        return false;
    if (maps.at) {
        memcpy(at, maps.at, maps.count * sizeof(*at));
        (void)os_unmap(maps.at, maps.room * sizeof(*at));
    }
    maps.at = at;
    maps.room = room;
    return true;
}

static bool remember(void *p)
{
    bool done;

    lock_take(&maps.lock);
    done = maps.count < maps.room || make_room();
    if (done)
        maps.at[maps.count++] = ~(uintptr_t)p;
    lock_give(&maps.lock);
    return done;
}

static bool forget(void *p)
{
    bool found = false;

    lock_take(&maps.lock);
    for (size_t i = maps.count; i-- && !found;) {
        found = maps.at[i] == ~(uintptr_t)p;
        if (found)
            maps.at[i] = maps.at[--maps.count];
    }
    lock_give(&maps.lock);
    return found;
}

void *vg_map(size_t size, size_t align)
{
    void *p = sys_memalign(align, size);

    if (!p)
        return NULL;
    if (!remember(p)) {
        sys_free(p);
        errno = ENOMEM;
        return NULL;
    }
    memset(p, 0, size);
    /* Otherwise memcheck would describe our blocks as parts of this one. */
    VALGRIND_RESIZEINPLACE_BLOCK(p, size, 1, 0);
    VALGRIND_MAKE_MEM_NOACCESS(p, size);
    return p;
}

bool vg_unmap(void *p)
{
    if (!forget(p))
        return false;
    sys_free(p);
    return true;
}

void vg_fork(enum fork_step step)
{
    (void)lost_step(&maps.lock, step);
}

/* The bytes that stand for our SuperSlabs are no blocks of the program's: the leak search, which
 * follows, must not count them. */
static void end(void)
{
    lock_take(&maps.lock);
    while (maps.count)
        sys_free((void *)~maps.at[--maps.count]);
    lock_give(&maps.lock);
}

/* Valgrind calls this in place of the C library's _exit(), with which every end but a deadly signal
 * comes, and after which no code runs that could want more memory. */
EXPORT void I_WRAP_SONAME_FNNAME_ZU(libcZdsoZa, _exit)(int status);

EXPORT void I_WRAP_SONAME_FNNAME_ZU(libcZdsoZa, _exit)(int status)
{
    OrigFn fn;

    VALGRIND_GET_ORIG_FN(fn);
    end();
    CALL_FN_v_W(fn, status);
}
#endif
