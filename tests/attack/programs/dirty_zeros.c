/* The attacker writes to freed blocks, and past the end of one over what stands before the next.
 * Won: calloc returns a block that is not zero. */
#include "attack.h"

static void look(size_t size)
{
    for (unsigned n = 0; n < 8; n++) {
        char *p = calloc(1, size);

        for (size_t i = 0; p && i < size; i++)
            if (p[i])
                won("calloc returned a block that is not zero");
    }
}

static void written(word how)
{
    static const size_t sizes[] = {8, 64, 88, 500, 1500, 5000, 100000};
    size_t size = sizes[how / 2];
    char *others[7], *a = malloc(size), *b = malloc(size);
    size_t end = malloc_usable_size(a);

    for (unsigned i = 0; i < 7; i++)
        others[i] = malloc(size);
    (void)malloc(100);
    memset(b, 0x41, size);
    for (unsigned i = 0; i < 7; i++)
        free(others[i]);
    free(b);
    if (how % 2 == 0) {
        free(a);
        memset(a, 0x42, size);
    } else if ((word)(a + end) == (word)b - 8) {
        /* As if the system had mapped it, and zeroed. */
        *(word *)(a + end) |= 2;
    }
    look(size);
}

int main(void)
{
    for (word how = 0; how < 7 * 2; how++)
        try_out(written, how);
    return HELD;
}
