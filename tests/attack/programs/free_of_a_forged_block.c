/* The attacker has the program free an address in its data, around which he has laid what looks
 * like a block. Won: it is handed out. */
#include "attack.h"

static void forged(word size)
{
    for (unsigned i = 1; i + 2 < 512; i += 2)
        target[i] = size;
    (void)malloc(100);
    free(&target[2]);
    go_on(size - 9, 8);
}

int main(void)
{
    static const word sizes[] = {0x21, 0x41, 0x81, 0x201};

    for (unsigned i = 0; i < 4; i++)
        try_out(forged, sizes[i]);
    return HELD;
}
