#include "calls.h"

#include "hakmem.h"
#include "listener.h"

TLS_FAST bool calls_inside;

#if HAK_TRACE
#define TELL(name, ...)                                \
    do {                                               \
        struct hak_libc_##name event_ = {__VA_ARGS__}; \
        listener_emit_call(HAK_LIBC_##name, &event_);  \
    } while (0)
#else
#define TELL(name, ...)                                \
    do {                                               \
        struct hak_libc_##name event_ = {__VA_ARGS__}; \
        (void)event_;                                  \
    } while (0)
#endif

NOINLINE void *calls_calloc(size_t count, size_t size)
{
    void *p;

    calls_inside = true;
    p = hak_calloc(count, size);
    calls_inside = false;
    TELL(calloc, .nmemb = count, .size = size, .ptr = (uintptr_t)p);
    return p;
}

NOINLINE void *calls_realloc(void *p, size_t size)
{
    void *to;

    calls_inside = true;
    to = hak_realloc(p, size);
    calls_inside = false;
    TELL(realloc, .in_ptr = (uintptr_t)p, .size = size, .ptr = (uintptr_t)to);
    return to;
}

NOINLINE void *calls_memalign(size_t align, size_t size)
{
    void *p;

    calls_inside = true;
    p = hak_memalign(align, size);
    calls_inside = false;
    TELL(memalign, .alignment = align, .size = size, .ptr = (uintptr_t)p);
    return p;
}

NOINLINE int calls_posix_memalign(void **out, size_t align, size_t size)
{
    int result;

    calls_inside = true;
    result = hak_posix_memalign(out, align, size);
    calls_inside = false;
    TELL(posix_memalign, .out_ptr = result ? 0 : (uintptr_t)*out, .alignment = align, .size = size,
         .result = result);
    return result;
}

NOINLINE void calls_tell_malloc(const void *p, size_t size)
{
    if (!calls_inside)
        TELL(malloc, .size = size, .ptr = (uintptr_t)p);
}

NOINLINE void calls_tell_free(const void *p)
{
    if (!calls_inside)
        TELL(free, .ptr = (uintptr_t)p);
}
