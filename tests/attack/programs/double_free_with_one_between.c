/* The program frees a, b, and a again. Won: two users get the same block. */
#include "attack.h"

static void again(word size)
{
    void *a = malloc(size), *b = malloc(size);

    free(a);
    free(b);
    free(a);
    go_on(size, 6);
}

int main(void)
{
    static const size_t sizes[] = {16, 24, 100, 500, 2000};

    for (unsigned i = 0; i < 5; i++)
        try_out(again, sizes[i]);
    return HELD;
}
