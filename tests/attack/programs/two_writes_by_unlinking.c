/* The attacker fills a freed block, larger than what lies on simple lists, with addresses as of
 * neighbours in a doubly linked list, past the end of the block before it, with what looks like
 * its size. Won: unlinking it writes to an address of his. */
#include "attack.h"

static void written(word how)
{
    static const size_t sizes[] = {0x4f8, 0x800, 5000, 100000};
    size_t size = sizes[how / 3];
    word *a = malloc(size), *b = malloc(size), *c = malloc(size);

    (void)malloc(100);
    (void)c;
    if (how % 3 < 2)
        free(b);
    if (how % 3 == 1)
        (void)malloc(2 * size);
    for (unsigned i = 0; i < 4; i++)
        b[i] = (word)&target[8 + 4 * (i % 2)];
    if (how % 3 == 2) {
        size_t end = malloc_usable_size(a) / sizeof(word);

        /* As if the first block were free, with forged neighbours in it. */
        a[0] = 0;
        a[1] = size;
        a[2] = (word)&target[8];
        a[3] = (word)&target[12];
        a[end - 1] = size;
        a[end] &= ~(word)1;
        free(b);
    }
    free(a);
    go_on(size, 8);
    go_on(2 * size, 4);
    expect_untouched();
}

int main(void)
{
    for (word how = 0; how < 4 * 3; how++)
        try_out(written, how);
    return HELD;
}
