/* realloc keeps the contents over every size step from 1 to 5,000, up, down and in jumps. */
#include "check.h"

enum { TOP = 5000 };

static bool intact(const unsigned char *p, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (p[i] != (unsigned char)(i * 13 + 5))
            return false;
    return true;
}

static void extend(unsigned char *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        p[i] = (unsigned char)(i * 13 + 5);
}

static unsigned char *step(unsigned char *p, size_t from, size_t to)
{
    size_t kept = from < to ? from : to;

    p = realloc(p, to);
    CHECK(p, "NULL from %zu to %zu", from, to);
    CHECK(intact(p, kept), "changed bytes from %zu to %zu", from, to);
    extend(p, kept, to);
    return p;
}

int main(void)
{
    unsigned char *p = NULL;
    size_t size = 0;
    uint32_t random = 7;

    for (size_t to = 1; to <= TOP; size = to++)
        p = step(p, size, to);
    for (size_t to = TOP - 1; to >= 1; size = to--)
        p = step(p, size + (size == 0), to);
    for (int i = 0; i < 20000; i++) {
        size_t to = 1 + next_random(&random) % TOP;
        p = step(p, size, to);
        size = to;
    }
    for (int i = 0; i < 400; i++) { /* across every layer, up to 4 MiB */
        size_t to = 1 + (next_random(&random) % (4u << 20) >> next_random(&random) % 16);
        p = step(p, size, to);
        size = to;
    }
    free(p);
    puts("contents kept over every step");
    return 0;
}
