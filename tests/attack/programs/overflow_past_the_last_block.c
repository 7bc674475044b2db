/* The attacker writes 256 KiB past the end of the highest block, as far as there is memory: over
 * whatever records lie there. Won: malloc returns the address that he wrote, or something is
 * written there. */
#include "attack.h"

static void over(word size)
{
    unsigned n = size > 2048 ? 100 : 4000;
    word *highest = NULL;

    for (unsigned i = 0; i < n; i++) {
        word *p = malloc(size);

        if (p > highest)
            highest = p;
        held[held_count].p = (char *)p;
        held[held_count++].size = size;
    }
    for (size_t i = size / sizeof(word); i < ((size_t)256 << 10) / sizeof(word); i++)
        highest[i] = (word)&target[8];
    for (unsigned i = 0; i < n; i += 2)
        free(held[i].p);
    held_count = 0;
    go_on(size, n);
    expect_untouched();
}

int main(void)
{
    static const size_t sizes[] = {16, 64, 256, 2048, 30000, 200000};

    for (unsigned i = 0; i < 6; i++)
        try_out(over, sizes[i]);
    return HELD;
}
