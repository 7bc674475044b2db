/* The attacker has read one free block, and writes to another one far away, of the same size. Won:
 * malloc returns his address. */
#include "leak.h"

static const size_t sizes[] = {8, 16, 64, 500};

static word *far[2000];

static void leaked(word how)
{
    size_t size = sizes[how / GUESSES];
    unsigned words = size > 8 ? 2 : 1;
    word *read = malloc(size), *next = malloc(size), was[2] = {0, 0}, *at;

    for (unsigned i = 0; i < 2000; i++)
        far[i] = malloc(size);
    at = far[1999];
    free(next);
    free(read);
    memcpy(was, read, words * sizeof(word));
    free(far[1998]);
    free(at);
    forge(how % GUESSES, at, words, read, was, (word)next, (word)target);
    go_on(size, 8);
}

int main(void)
{
    for (word how = 0; how < sizeof(sizes) / sizeof(sizes[0]) * GUESSES; how++)
        try_out(leaked, how);
    return HELD;
}
