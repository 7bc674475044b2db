/* Every way to allocate aligns as the ABI or the caller asks, and all of malloc_usable_size may
 * be used. */
#include <malloc.h>

#include "check.h"

static void use(unsigned char *p, size_t size, size_t alignment, const char *how)
{
    CHECK(p, "NULL from %s of %zu bytes, alignment %zu", how, size, alignment);
    CHECK((uintptr_t)p % alignment == 0, "%p from %s of %zu bytes, alignment %zu", (void *)p, how,
          size, alignment);
    size_t usable = malloc_usable_size(p);
    CHECK(usable >= size, "usable %zu of %zu bytes from %s, alignment %zu", usable, size, how,
          alignment);
    fill(p, usable, 0x77);
}

static void malloc_and_friends(void)
{
    static unsigned char *blocks[4097];

    for (size_t size = 0; size <= 4096; size++) {
        blocks[size] = malloc(size);
        use(blocks[size], size, size > 8 ? 16 : 8, "malloc");
    }
    for (size_t size = 0; size <= 4096; size++) {
        CHECK(holds(blocks[size], malloc_usable_size(blocks[size]), 0x77), "overlap at %zu", size);
        blocks[size] = realloc(blocks[size], size + 100);
        use(blocks[size], size + 100, 16, "realloc");
        free(blocks[size]);
        blocks[size] = calloc(1, size);
        use(blocks[size], size, size > 8 ? 16 : 8, "calloc");
        free(blocks[size]);
    }
}

static void aligned(size_t alignment)
{
    static const size_t sizes[] = {0, 1, 8, 24, 100, 1000, 2048, 5000, 40000, 300000, 2000000};
    unsigned char *held[3];

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        void *p = NULL;
        int e = posix_memalign(&p, alignment, sizes[s]);
        CHECK(e == 0, "%s", strerror(e));
        use(held[0] = p, sizes[s], alignment, "posix_memalign");
        use(held[1] = aligned_alloc(alignment, sizes[s]), sizes[s], alignment, "aligned_alloc");
        use(held[2] = memalign(alignment, sizes[s]), sizes[s], alignment, "memalign");
        for (int i = 0; i < 3; i++)
            CHECK(holds(held[i], malloc_usable_size(held[i]), 0x77), "overlap");
        held[0] = realloc(held[0], sizes[s] + 1);
        CHECK(held[0] && holds(held[0], sizes[s], 0x77), "realloc of an aligned block");
        for (int i = 0; i < 3; i++)
            free(held[i]);
    }
}

int main(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    malloc_and_friends();
    for (size_t alignment = 8; alignment <= 4u << 20; alignment *= 2)
        aligned(alignment);
    for (size_t size = 1; size < 300000; size = size * 3 + 1) {
        unsigned char *v = valloc(size), *p = pvalloc(size);
        use(v, size, page, "valloc");
        use(p, (size + page - 1) / page * page, page, "pvalloc");
        free(v);
        free(p);
    }
    puts("all aligned");
    return 0;
}
