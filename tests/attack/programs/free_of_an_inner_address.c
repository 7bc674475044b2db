/* The attacker has the program free an address inside a block whose contents are his: he writes
 * what looks like an allocator's header there. Won: a block inside the other is handed out. */
#include "attack.h"

static void inside(word offset)
{
    char *p = hold(malloc(1000), 1000);
    word *at = (word *)(p + offset);

    at[-1] = 0x61;
    at[11] = 0x61;
    free(at);
    go_on(0x58, 4);
    go_on(500, 4);
}

int main(void)
{
    static const word offsets[] = {16, 64, 256, 512};

    for (unsigned i = 0; i < 4; i++)
        try_out(inside, offsets[i]);
    return HELD;
}
