#include "vg.h"

#if HAK_VALGRIND
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <valgrind/drd.h>
#include <valgrind/helgrind.h>
#include <valgrind/memcheck.h>

#include "os.h"
#include "sysmalloc.h"
#include "trace.h"

enum vg_tool vg_tool = VG_UNASKED;

/* Each tool answers its own requests only; 0 is what nobody's answer looks like. */
static enum vg_tool find_tool(void)
{
    char byte = 0;

    if (!RUNNING_ON_VALGRIND)
        return VG_NONE;
    if (VALGRIND_MAKE_MEM_DEFINED(&byte, 1))
        return VG_MEMCHECK;
    return VG_NONE;
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

/* ---- memory ---- */

/* What libc's malloc, which Valgrind has replaced by its own, gave us. The addresses are stored
 * complemented: the leak search must not find them. */
static struct {
    pthread_mutex_t lock;
    uintptr_t *at;
    size_t count, room;
} maps = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* With the lock held. */
static bool make_room(void)
{
    size_t room = maps.room ? maps.room * 2 : OS_PAGE / sizeof(*maps.at);
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

    pthread_mutex_lock(&maps.lock);
    done = maps.count < maps.room || make_room();
    if (done)
        maps.at[maps.count++] = ~(uintptr_t)p;
    pthread_mutex_unlock(&maps.lock);
    return done;
}

static bool forget(void *p)
{
    bool found = false;

    pthread_mutex_lock(&maps.lock);
    for (size_t i = maps.count; i-- && !found;) {
        found = maps.at[i] == ~(uintptr_t)p;
        if (found)
            maps.at[i] = maps.at[--maps.count];
    }
    pthread_mutex_unlock(&maps.lock);
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

/* The bytes that stand for our SuperSlabs are no blocks of the program's: the leak search, which
 * follows, must not count them. */
static void end(void)
{
    pthread_mutex_lock(&maps.lock);
    while (maps.count)
        sys_free((void *)~maps.at[--maps.count]);
    pthread_mutex_unlock(&maps.lock);
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
