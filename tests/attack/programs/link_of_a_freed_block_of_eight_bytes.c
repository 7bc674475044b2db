/* The attacker writes to a freed block of the smallest size. Won: malloc returns the address he
 * wrote. */
#include "attack.h"

static void written(word how)
{
    word *a = malloc(8), *b = malloc(8);

    free(b);
    free(a);
    a[0] = encode(how, a, target);
    go_on(8, 6);
}

int main(void)
{
    for (word how = 0; how < ENCODINGS; how++)
        try_out(written, how);
    return HELD;
}
