/* The program frees a large block twice, with others between. Won: two users get the same. */
#include "attack.h"

static void again(word size)
{
    void *a = malloc(size), *b = malloc(size);

    (void)malloc(100);
    free(a);
    free(b);
    free(a);
    go_on(size, 6);
}

int main(void)
{
    static const size_t sizes[] = {5000, 30000, 200000, 1000000, 4000000};

    for (unsigned i = 0; i < 5; i++)
        try_out(again, sizes[i]);
    return HELD;
}
