/* A thread's blocks outlive it: others read, grow and free them, and their memory is used again
 * for the next thread's. */
#include "check.h"

enum { GENERATIONS = 60, BLOCKS = 4000, ALLOWED_KB = 98304 };

static unsigned char *blocks[BLOCKS];

static size_t size_of(int i)
{
    return 8 + (size_t)(i * 37) % 2500;
}

static void *leave_blocks(void *arg)
{
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(size_of(i));
        CHECK(blocks[i], "NULL for %zu bytes", size_of(i));
        fill(blocks[i], size_of(i), (unsigned char)i);
    }
    return arg;
}

static void *free_odd(void *arg)
{
    for (int i = 1; i < BLOCKS; i += 2) {
        CHECK(holds(blocks[i], size_of(i), (unsigned char)i), "block %d changed", i);
        free(blocks[i]);
    }
    return arg;
}

static void run(void *(*body)(void *))
{
    pthread_t id;
    int e = pthread_create(&id, NULL, body, NULL);

    CHECK(e == 0, "%s", strerror(e));
    pthread_join(id, NULL);
}

int main(void)
{
    long early = 0, last = 0;

    for (int g = 0; g < GENERATIONS; g++) {
        run(leave_blocks);
        run(free_odd);
        for (int i = 0; i < BLOCKS; i += 2) {
            blocks[i] = realloc(blocks[i], size_of(i) + 40);
            CHECK(blocks[i] && holds(blocks[i], size_of(i), (unsigned char)i), "block %d", i);
            free(blocks[i]);
        }
        last = resident_kb();
        if (g == 5)
            early = last;
    }
    printf("note: RSS %ld KiB after 6 generations, %ld KiB after %d\n", early, last, GENERATIONS);
    CHECK(last < ALLOWED_KB && last < 2 * early + 4096, "RSS %ld KiB, early %ld", last, early);
    puts("blocks outlived their threads");
    return 0;
}
