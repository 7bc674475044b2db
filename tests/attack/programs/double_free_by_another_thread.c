/* One thread frees a block, another one frees it too. Won: two users get the same block. */
#include "attack.h"

static void *free_it(void *p)
{
    free(p);
    return NULL;
}

static void by_two(word size)
{
    void *a = malloc(size), *b = malloc(size);

    in_a_thread(free_it, a);
    free(b);
    free(a);
    go_on(size, 200);
}

int main(void)
{
    static const size_t sizes[] = {16, 100, 500, 2000};

    for (unsigned i = 0; i < 4; i++)
        try_out(by_two, sizes[i]);
    return HELD;
}
