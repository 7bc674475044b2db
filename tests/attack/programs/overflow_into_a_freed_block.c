/* The attacker writes past the end of a block into its neighbour, which is free. Won: malloc
 * returns the address he wrote. */
#include "attack.h"

static const size_t sizes[] = {24, 64, 128, 500, 1000};

static void over(word how)
{
    size_t size = sizes[how / (2 * ENCODINGS)], room;
    word *a = malloc(size), *b = malloc(size), *c = malloc(size);
    bool keep = how / ENCODINGS % 2;

    room = ((word)b - (word)a) / sizeof(word);
    if ((word)b < (word)a || room > 2000)
        return;
    hold(a, size);
    free(c);
    free(b);
    /* All between the end and the neighbour as it is, as one can who knows the layout; or not. */
    for (size_t i = size / sizeof(word); i < room; i++)
        a[i] = keep ? a[i] : 0x41;
    a[room] = encode(how % ENCODINGS, b, target);
    go_on(size, 6);
}

int main(void)
{
    for (word how = 0; how < sizeof(sizes) / sizeof(sizes[0]) * 2 * ENCODINGS; how++)
        try_out(over, how);
    return HELD;
}
