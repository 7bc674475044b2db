/* Every call of malloc's interface, told on stdout as LTTng's libc wrapper tells them. */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static char said[4096];
static int length;

#define SAY(...) (length += snprintf(said + length, sizeof(said) - (size_t)length, __VA_ARGS__))

static void *made(void *p)
{
    __asm__ volatile("" : "+r"(p)); /* calls that the compiler must not see through */
    return p;
}

static void sizes(size_t size)
{
    void *p = made(malloc(size)), *q, *r;
    uintptr_t was = (uintptr_t)p;

    SAY("malloc size=%zu ptr=%p\n", size, p);
    q = made(realloc(p, 3 * size));
    SAY("realloc in_ptr=%p size=%zu ptr=%p\n", (void *)was, 3 * size, q);
    r = made(calloc(3, size));
    SAY("calloc nmemb=3 size=%zu ptr=%p\n", size, r);
    SAY("free ptr=%p\n", q);
    free(q);
    p = made(realloc(NULL, size));
    SAY("realloc in_ptr=(nil) size=%zu ptr=%p\n", size, p);
    was = (uintptr_t)p;
    p = made(realloc(p, 0));
    SAY("realloc in_ptr=%p size=0 ptr=%p\n", (void *)was, p);
    SAY("free ptr=%p\n", r);
    free(r);
}

static void aligned(size_t align, size_t size)
{
    void *p = NULL;
    int result = posix_memalign(&p, align, size);

    SAY("posix_memalign out_ptr=%p alignment=%zu size=%zu result=%d\n", p, align, size, result);
    SAY("free ptr=%p\n", p);
    free(p);
    p = made(memalign(align, size));
    SAY("memalign alignment=%zu size=%zu ptr=%p\n", align, size, p);
    SAY("free ptr=%p\n", p);
    free(p);
    p = made(aligned_alloc(align, size));
    SAY("memalign alignment=%zu size=%zu ptr=%p\n", align, size, p); /* kept */
}

int main(void)
{
    static const size_t some[] = {8, 100, 1500, 30000, 600000, 5000000};

    for (size_t i = 0; i < sizeof(some) / sizeof(*some); i++)
        sizes(some[i]);
    aligned(64, 300);
    aligned(8192, 100000);
    fputs(said, stdout);
    return 0;
}
