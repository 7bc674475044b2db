#include "sysmalloc.h"

#include <dlfcn.h>
#include <errno.h>

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
    void (*free)(void *);
    size_t (*usable_size)(void *);
    _Atomic bool ready;
} sys;

/* dlsym() may allocate when it has an error to tell. Those few bytes come from our slabs; a
 * larger request during the lookup finds nobody to serve it and fails. */
static TLS_FAST bool resolving;

bool sys_ready(void)
{
    if (likely(atomic_load_explicit(&sys.ready, memory_order_acquire)))
        return true;
    if (resolving)
        return false;
    resolving = true;
    /* POSIX gives function pointers through void *; ISO C does not. Every thread that comes
     * here stores the same values. */
    *(void **)&sys.malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&sys.calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&sys.realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&sys.memalign = dlsym(RTLD_NEXT, "memalign");
    *(void **)&sys.free = dlsym(RTLD_NEXT, "free");
    *(void **)&sys.usable_size = dlsym(RTLD_NEXT, "malloc_usable_size");
    resolving = false;
    if (!sys.malloc || !sys.calloc || !sys.realloc || !sys.memalign || !sys.free ||
        !sys.usable_size)
        return false;
    atomic_store_explicit(&sys.ready, true, memory_order_release);
    return true;
}

void sys_begin(void)
{
    sys_free(sys_malloc(1));
}

static void *refuse(void)
{
    errno = ENOMEM;
    return NULL;
}

void *sys_malloc(size_t size)
{
    return sys_ready() ? sys.malloc(size) : refuse();
}

void *sys_calloc(size_t count, size_t size)
{
    return sys_ready() ? sys.calloc(count, size) : refuse();
}

void *sys_realloc(void *ptr, size_t size)
{
    return sys_ready() ? sys.realloc(ptr, size) : refuse();
}

void *sys_memalign(size_t align, size_t size)
{
    return sys_ready() ? sys.memalign(align, size) : refuse();
}

void sys_free(void *ptr)
{
    if (ptr && sys_ready())
        sys.free(ptr);
}

size_t sys_usable_size(void *ptr)
{
    return ptr && sys_ready() ? sys.usable_size(ptr) : 0;
}
