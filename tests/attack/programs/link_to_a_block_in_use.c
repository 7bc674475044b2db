/* The attacker writes to a freed block a link to another block that is in use, or to one that is
 * free elsewhere: addresses of the allocator's own. Won: two users get the same memory. */
#include "attack.h"

static void written(word how)
{
    static const size_t sizes[] = {8, 64, 500};
    size_t size = sizes[how / (ENCODINGS * 3)];
    char *victim = hold(malloc(size), size), *other = malloc(3 * size);
    word *a = malloc(size), *b = malloc(size), *elsewhere = malloc(size);
    void *to = how / ENCODINGS % 3 == 0   ? victim
               : how / ENCODINGS % 3 == 1 ? (char *)elsewhere
                                          : other;

    free(elsewhere);
    free(other);
    free(b);
    free(a);
    a[0] = encode(how % ENCODINGS, a, to);
    go_on(size, 8);
    go_on(3 * size, 4);
}

int main(void)
{
    for (word how = 0; how < 3 * 3 * ENCODINGS; how++)
        try_out(written, how);
    return HELD;
}
