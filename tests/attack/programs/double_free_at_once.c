/* The program frees a block twice in a row. Won: it is handed out to two users. */
#include "attack.h"

static void twice(word size)
{
    void *a = malloc(size);

    free(a);
    free(a);
    go_on(size, 4);
}

int main(void)
{
    static const size_t sizes[] = {16, 64, 500, 2000};

    for (unsigned i = 0; i < 4; i++)
        try_out(twice, sizes[i]);
    return HELD;
}
