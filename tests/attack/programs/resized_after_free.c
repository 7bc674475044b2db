/* The program resizes a block that it has freed. Won: two users have the same memory. */
#include "attack.h"

static void resized(word how)
{
    static const size_t sizes[] = {8, 64, 500, 5000, 300000};
    size_t size = sizes[how / 3];
    static const size_t parts[] = {2, 1, 3};
    size_t to = size * parts[how % 3] / 2 + 1;
    void *a = malloc(size), *p;

    (void)malloc(size);
    free(a);
    p = realloc(a, to);
    if (p)
        hold(p, to);
    go_on(size, 4);
    go_on(to, 4);
}

int main(void)
{
    for (word how = 0; how < 5 * 3; how++)
        try_out(resized, how);
    return HELD;
}
