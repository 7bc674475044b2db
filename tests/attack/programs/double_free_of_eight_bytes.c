/* The double frees of the other programs, of the smallest blocks. Won: two users get the same. */
#include "attack.h"

static void way(word n)
{
    char *a = malloc(8), *b = malloc(8);

    free(a);
    if (n != 0)
        free(b);
    if (n == 2)
        memset(a, 0, 8);
    free(a);
    go_on(8, 6);
}

int main(void)
{
    for (word n = 0; n < 3; n++)
        try_out(way, n);
    return HELD;
}
