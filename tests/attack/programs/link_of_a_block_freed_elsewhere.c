/* Another thread frees blocks of this one's; the attacker writes to one while it is on its way
 * back. Won: malloc returns the address that he wrote. */
#include "attack.h"

static word *block[400];

static void *free_all(void *unused)
{
    for (unsigned i = 0; i < 400; i++)
        free(block[i]);
    return unused;
}

static void written(word how)
{
    static const size_t sizes[] = {8, 24, 100, 500};
    size_t size = sizes[how / ENCODINGS];

    for (unsigned i = 0; i < 400; i++)
        block[i] = malloc(size);
    in_a_thread(free_all, NULL);
    for (unsigned i = 0; i < 400; i++)
        block[i][0] = encode(how % ENCODINGS, block[i], target);
    go_on(size, 2000);
}

int main(void)
{
    for (word how = 0; how < 4 * ENCODINGS; how++)
        try_out(written, how);
    return HELD;
}
