/* When most blocks are freed, resident memory follows the live set down within seconds. */
#include "check.h"

enum { BLOCKS = 300000, PATIENCE = 60 };

static unsigned char *blocks[BLOCKS];

int main(void)
{
    uint32_t random = 42;

    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = 200 + next_random(&random) % 1000;
        blocks[i] = malloc(size);
        CHECK(blocks[i], "NULL");
        fill(blocks[i], size, 1);
    }
    long peak = resident_kb(), now = peak;
    for (size_t i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    for (int i = 0; i < PATIENCE && now > peak / 4; i++) {
        for (size_t j = 0; j < 2000; j++) /* a program that goes on */
            free(malloc(j));
        nanosleep(&(struct timespec){0, 50000000}, NULL);
        now = resident_kb();
    }
    printf("note: RSS %ld MB at the peak, %ld MB after\n", peak >> 10, now >> 10);
    CHECK(now <= peak / 4, "RSS %ld KiB of %ld, 3 s after everything was freed", now, peak);
    puts("memory went back");
    return 0;
}
