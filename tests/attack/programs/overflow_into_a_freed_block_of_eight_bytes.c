/* The same between the smallest blocks. Won: malloc returns the address that he wrote. */
#include "attack.h"

static void over(word how)
{
    word *a = malloc(8), *b = malloc(8), *c = malloc(8);
    size_t room = ((word)b - (word)a) / sizeof(word);

    if ((word)b < (word)a || room > 16)
        return;
    hold(a, 8);
    free(c);
    free(b);
    a[room] = encode(how, b, target);
    go_on(8, 6);
}

int main(void)
{
    for (word how = 0; how < ENCODINGS; how++)
        try_out(over, how);
    return HELD;
}
