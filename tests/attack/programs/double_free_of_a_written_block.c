/* The program writes to a block it has freed, over all that marks it as free, and frees it again.
 * Won: two users get the same block. */
#include "attack.h"

static void written(word size)
{
    char *a = malloc(size), *b = malloc(size);

    free(a);
    memset(a, 0, 16);
    free(a);
    memset(a, 0, 16);
    free(b);
    free(a);
    go_on(size, 6);
}

int main(void)
{
    static const size_t sizes[] = {16, 100, 500, 2000};

    for (unsigned i = 0; i < 4; i++)
        try_out(written, sizes[i]);
    return HELD;
}
