/* A program defines malloc and free itself and builds them on __libc_malloc and __libc_free, as
 * leak counters and sandboxes do. What posix_memalign() and strdup() return, which it did not
 * define, comes to its free() all the same; and old programs call cfree(). */
#include <malloc.h>

#include "check.h"

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void *__libc_valloc(size_t);
extern void *__libc_pvalloc(size_t);
extern void __libc_free(void *);

#ifdef __x86_64__
/* As a program that was linked before 2017 has it. */
extern void old_free(void *);
__asm__(".symver old_free, cfree@GLIBC_2.2.5");
#else
#define old_free free
#endif

static long calls;

void *malloc(size_t size)
{
    calls++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    calls++;
    return __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
    calls++;
    return __libc_realloc(p, size);
}

void free(void *p)
{
    calls++;
    __libc_free(p);
}

static void give(void *p, size_t size, const char *what)
{
    CHECK(p, "NULL from %s(%zu)", what, size);
    CHECK(malloc_usable_size(p) >= size, "%zu bytes usable of %s(%zu)", malloc_usable_size(p), what,
          size);
    fill(p, size, 0xab);
    p = realloc(p, size * 2);
    CHECK(holds(p, size, 0xab), "other bytes after %s(%zu)", what, size);
    free(p);
}

int main(void)
{
    static const size_t sizes[] = {1, 24, 100, 1000, 5000, 60000, 3000000};
    void *p;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size = sizes[i];

        CHECK(posix_memalign(&p, 64, size) == 0, "%s", strerror(errno));
        give(p, size, "posix_memalign");
        give(aligned_alloc(64, size), size, "aligned_alloc");
        give(memalign(64, size), size, "memalign");
        give(reallocarray(NULL, 1, size), size, "reallocarray");
        give(__libc_memalign(32, size), size, "__libc_memalign");
        give(__libc_valloc(size), size, "__libc_valloc");
        give(__libc_pvalloc(size), size, "__libc_pvalloc");
        give(__libc_calloc(1, size), size, "__libc_calloc");
    }
    free(strdup("a string"));
    old_free(__libc_malloc(100));
    CHECK(calls > 0, "%ld calls", calls);
    puts("one malloc");
    return 0;
}
