/* The same on a thread's stack. Won: malloc returns an address there. */
#include "attack.h"

static void *on_its_stack(void *size)
{
    word local[64] __attribute__((aligned(64)));

    for (unsigned i = 1; i < 64; i += 2)
        local[i] = (word)size;
    __asm__ volatile("" : : "r"(local) : "memory");
    free(&local[2]);
    for (unsigned i = 0; i < 8; i++)
        if (overlap(malloc((word)size - 9), 1, local, sizeof(local)))
            won("malloc returned an address on the stack");
    return NULL;
}

static void forged(word size)
{
    (void)malloc(100);
    (void)on_its_stack((void *)size);
}

static void forged_in_a_thread(word size)
{
    (void)malloc(100);
    in_a_thread(on_its_stack, (void *)size);
}

int main(void)
{
    static const word sizes[] = {0x21, 0x41, 0x81};

    for (unsigned i = 0; i < 3; i++) {
        try_out(forged, sizes[i]);
        try_out(forged_in_a_thread, sizes[i]);
    }
    return HELD;
}
