/* A block is freed and handed out again; the program frees it through the old pointer, while its
 * new user has it. Won: a third user gets what the second one has. */
#include "attack.h"

static void stale(word size)
{
    void *a = malloc(size);

    free(a);
    hold(malloc(size), size);
    free(a);
    go_on(size, 8);
}

int main(void)
{
    static const size_t sizes[] = {8, 64, 500, 5000, 300000};

    for (unsigned i = 0; i < 5; i++)
        try_out(stale, sizes[i]);
    return HELD;
}
