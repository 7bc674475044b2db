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
    static const size_t sizes[] = {8, 64, 500, 1500, 5000, 100000};
    size_t size = sizes[how / 2];
    char *a = malloc(size), *b = malloc(size);
    size_t end = malloc_usable_size(a);

    (void)malloc(100);
    memset(b, 0x41, size);
    if (how % 2) {
        /* As if the system had mapped it, and zeroed. */
        if ((word)(a + end) == (word)b - 8)
            *(word *)(a + end) |= 2;
        free(b);
    } else {
        free(b);
        free(a);
        memset(a, 0x42, size);
    }
    look(size);
}

int main(void)
{
    for (word how = 0; how < 6 * 2; how++)
        try_out(written, how);
    return HELD;
}
