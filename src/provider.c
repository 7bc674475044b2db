#include "provider.h"

#if HAK_TRACE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "base.h"
#include "pagemap.h"
#include "symbols.h"
#include "vg.h"

/* More than goes to the C library's malloc by any knob, less than has a mapping of its own. */
#define PIECE 5000

/* Is the malloc that everybody finds ours? Its address does not tell: that may be in the program,
 * from where it leads to another library. */
static bool malloc_is_ours(void)
{
    void *(*allocate)(size_t) = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "malloc");
    void (*give)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "free");
    void *p = allocate && give ? allocate(PIECE) : NULL;
    bool ours = p && pagemap_lookup(p) != 0;

    if (p)
        give(p);
    return ours;
}

/* LTTng's threads call open() and others while its constructor waits for them under the loader's
 * lock; a function that another library has put over one may want that lock, to look up the one
 * behind it. So LTTng is bound to the C library's own, of all others only to our malloc. Not where
 * the program's malloc is another, which the C library calls as well; and not past a sanitizer,
 * which must know of every thread. */
static bool may_bind_past_others(void)
{
    return malloc_is_ours() && !dlsym(RTLD_DEFAULT, "__sanitizer_print_stack_trace");
}

static void *open_provider(const char *path)
{
    /* Ours takes RTLD_DEEPBIND away, and a sanitizer's ends the process for it. */
    void *(*open)(const char *, int) = (void *(*)(const char *, int))symbols_libc("dlopen");
    int mode = RTLD_NOW | RTLD_LOCAL;

    if (open && may_bind_past_others())
        return open(path, mode | RTLD_DEEPBIND);
    return dlopen(path, mode);
}

const struct hak_trace_ops *provider_load(const char **why)
{
    static char path[1024];
    const struct hak_trace_ops *ops;
    Dl_info here;
    const char *slash;
    void *lib;

    if (!dladdr((void *)(uintptr_t)provider_load, &here) || !here.dli_fname) {
        *why = "cannot tell where this library lies";
        return NULL;
    }
    slash = strrchr(here.dli_fname, '/');
    snprintf(path, sizeof(path), "%.*slibhakmem-lttng.so",
             slash ? (int)(slash - here.dli_fname + 1) : 0, here.dli_fname);
    /* The loader looks at words of what it is to load where a path may end before. */
    vg_enter();
    lib = open_provider(path);
    vg_leave();
    ops = lib ? dlsym(lib, HAK_TRACE_OPS_SYMBOL) : NULL;
    if (!ops) {
        *why = dlerror();
        return NULL;
    }
    if (ops->abi != HAK_TRACE_ABI || ops->events != HAK_EVENTS) {
        *why = "libhakmem-lttng.so is of another build: install both from one";
        return NULL;
    }
    return ops;
}
#endif
