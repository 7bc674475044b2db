#include "vg.h"

#if HAK_VALGRIND
#include <errno.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "hakmem.h"
#include "kernel.h"
#include "os.h"
#include "reserve.h"
#include "trace.h"

enum vg_tool vg_tool = VG_UNASKED;
uintptr_t vg_malloc_of_valgrind;

/* Each tool answers its own requests only, all but one silently. */
static bool is_memcheck(void)
{
    const char *preloaded = os_env("LD_PRELOAD");
    char byte = 0;

    return !(preloaded && strstr(preloaded, "vgpreload_dhat")) &&
           VALGRIND_MAKE_MEM_DEFINED(&byte, 1);
}

/* As what Valgrind puts in the place of libc's malloc does: a request of Valgrind's own, answered
 * with a list of functions, of which this was the first in all versions. */
#define GET_MALLOC_FUNCTIONS 0x3030
#define FUNCTIONS_MOST 64

static void find_malloc(void)
{
    uintptr_t functions[FUNCTIONS_MOST] = {0};

    VALGRIND_DO_CLIENT_REQUEST_STMT(GET_MALLOC_FUNCTIONS, functions, 0, 0, 0, 0);
    vg_malloc_of_valgrind = functions[0];
}

void vg_init(void)
{
    vg_tool = RUNNING_ON_VALGRIND && is_memcheck() ? VG_MEMCHECK : VG_NONE;
    if (RUNNING_ON_VALGRIND)
        find_malloc();
    if (!vg_on())
        return;
    atomic_store_explicit(&trace_malloc_gate, 0, memory_order_relaxed);
    atomic_store_explicit(&trace_free_gate, 0, memory_order_relaxed);
}

bool vg_replaces_us(void)
{
    if (!RUNNING_ON_VALGRIND)
        return false;
    /* Of such a block only we know anything. */
    reserve_prepare();
    return !hak_malloc_usable_size(reserve_take(1, 0));
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

/* On the real CPU, where Valgrind does not see it. */
static uintptr_t let_write(uintptr_t thread, uintptr_t p, uintptr_t size)
{
    (void)thread;
    return (uintptr_t)kernel_enter(SYS_mprotect, (long)p, (long)size, PROT_READ | PROT_WRITE, 0, 0,
                                   0);
}

/* Mapped once more: at a change of what may be done with it Valgrind looks at each byte. */
static long map_to_read(void *p, size_t size)
{
    long at = kernel_enter(SYS_mmap, (long)p, (long)size, PROT_READ,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    return at < 0 && at > -4096 ? at : 0;
}

/* The leak search takes whatever is mapped for writing as a place where pointers count, so that no
 * block would be leaked which another, leaked one, points to. What is only readable it does not:
 * such is what Valgrind believes of our SuperSlabs. Blocks in them it looks at as in any memory. */
bool vg_hold_blocks(void *p, size_t size)
{
    long refused;

    if (vg_tool != VG_MEMCHECK)
        return true;
    refused = map_to_read(p, size);
    if (!refused)
        refused = (long)VALGRIND_NON_SIMD_CALL2(let_write, p, size);
    if (refused) {
        errno = (int)-refused;
        return false;
    }
    vg_hide(p, size);
    return true;
}

void vg_hide(const void *p, size_t size)
{
    VALGRIND_MAKE_MEM_NOACCESS(p, size);
}
#endif
