/* The attacker writes downwards from the lowest block, over whatever records lie before it, as far
 * as the page begins, with addresses of what he has prepared. Won: malloc returns his address, or
 * something is written there. */
#include "attack.h"

static const size_t sizes[] = {16, 64, 256, 1000, 2048, 5000, 100000};

static void under(word how)
{
    size_t size = sizes[how / 4];
    unsigned n = size > 2048 ? 40 : 1000;
    word *lowest = NULL, *page;

    for (unsigned i = 0; i < n; i++) {
        word *p = malloc(size);

        if (!lowest || p < lowest)
            lowest = p;
        held[held_count].p = (char *)p;
        held[held_count++].size = size;
    }
    page = (word *)(((word)lowest - 1) & -(word)4096);
    for (word *w = lowest - 1; w >= page; w--) {
        word value = (word)&target[how % 4 == 1 ? 8 : 0];

        /* Only what holds something: what is nought may be padding, or a count. */
        if (how % 4 >= 2 || *w > 0xffffffff)
            *w = value;
    }
    for (unsigned i = 0; i < n && how % 4 < 3; i += 2)
        free(held[i].p);
    held_count = 0;
    go_on(size, n);
    expect_untouched();
}

int main(void)
{
    for (word how = 0; how < 4 * sizeof(sizes) / sizeof(sizes[0]); how++)
        try_out(under, how);
    return HELD;
}
