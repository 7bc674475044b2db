/* The attacker has read one free block, and writes to one of another size. Won: malloc returns his
 * address. */
#include "leak.h"

static void leaked(word how)
{
    size_t size = how / GUESSES ? 100 : 500;
    word *read = malloc(48), *next = malloc(48), *a = malloc(size), *b = malloc(size), was[2];

    free(next);
    free(read);
    memcpy(was, read, sizeof(was));
    free(b);
    free(a);
    forge(how % GUESSES, a, 2, read, was, (word)next, (word)target);
    go_on(size, 8);
}

int main(void)
{
    for (word how = 0; how < 2 * GUESSES; how++)
        try_out(leaked, how);
    return HELD;
}
