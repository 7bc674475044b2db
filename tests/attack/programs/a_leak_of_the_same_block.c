/* The attacker reads a free block and writes to that one. Won: malloc returns his address. */
#include "leak.h"

static void leaked(word how)
{
    static const size_t sizes[] = {8, 16, 64, 500};
    size_t size = sizes[how / GUESSES];
    unsigned words = size > 8 ? 2 : 1;
    word *a = malloc(size), *next = malloc(size), was[2] = {0, 0};

    free(next);
    free(a);
    memcpy(was, a, words * sizeof(word));
    forge(how % GUESSES, a, words, a, was, (word)next, (word)target);
    go_on(size, 8);
}

int main(void)
{
    for (word how = 0; how < 4 * GUESSES; how++)
        try_out(leaked, how);
    return HELD;
}
