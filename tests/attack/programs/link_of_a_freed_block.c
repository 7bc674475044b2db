/* The attacker writes one word, or two, to a freed block. Won: malloc returns the address he
 * wrote. */
#include "attack.h"

static const size_t sizes[] = {16, 24, 40, 64, 90, 128, 200, 256, 500, 700, 1000, 1200, 1500, 2000};

static void written(word how)
{
    size_t size = sizes[how / (2 * ENCODINGS)];
    word *a = malloc(size), *b = malloc(size);

    free(b);
    free(a);
    a[0] = encode(how % ENCODINGS, a, target);
    if (how / ENCODINGS % 2)
        a[1] = 0;
    go_on(size, 6);
}

int main(void)
{
    for (word how = 0; how < sizeof(sizes) / sizeof(sizes[0]) * 2 * ENCODINGS; how++)
        try_out(written, how);
    return HELD;
}
