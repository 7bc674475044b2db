/* The attacker fills memory that the program mapped, aligned as an allocator's own, with copies of
 * the beginning of a real region, and has an address in it freed. Won: it is handed out. */
#include "attack.h"

#define REGION ((size_t)4 << 20)

static void forged(word size)
{
    char *real = malloc(size);
    char *map = mmap(NULL, 2 * REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *region = (char *)(((word)map + REGION - 1) & -(word)REGION);

    for (size_t at = 0; at < REGION; at += 4096)
        memcpy(region + at, (char *)((word)real & -(word)4096), 4096);
    free(region + ((word)real & (REGION - 1)));
    free(region + ((word)real & 0xffff));
    for (unsigned i = 0; i < 300; i++)
        if (overlap(malloc(size), 1, region, REGION))
            won("malloc returned an address in the program's own mapping");
}

int main(void)
{
    static const word sizes[] = {64, 500, 5000, 300000};

    for (unsigned i = 0; i < 4; i++)
        try_out(forged, sizes[i]);
    return HELD;
}
