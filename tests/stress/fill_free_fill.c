/* fill_free_fill SUPERSLABS: a thread fills so many SuperSlabs of 512 KiB with 2,048-byte blocks,
 * frees them all and ends, so that every slab is EMPTY; a second one needs ten slabs more.
 * To be run with HAKMEM_TINY_CLASSES=8 HAKMEM_SS_LG=19. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCKS_PER_SUPERSLAB = 255, BLOCKS_PER_SLAB = 32, SIZE = 2000 };

static void *fill_and_free(void *arg)
{
    size_t n = *(size_t *)arg;
    char **blocks = calloc(n, sizeof(*blocks));

    for (size_t i = 0; blocks && i < n; i++) {
        blocks[i] = malloc(SIZE);
        if (!blocks[i])
            exit(1);
        blocks[i][SIZE - 1] = (char)i;
    }
    for (size_t i = 0; blocks && i < n; i++) {
        if (blocks[i][SIZE - 1] != (char)i) {
            fprintf(stderr, "block %zu was overwritten\n", i);
            exit(1);
        }
        free(blocks[i]);
    }
    free(blocks);
    return NULL;
}

static void in_a_thread(size_t blocks)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, fill_and_free, &blocks) != 0)
        exit(1);
    pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    size_t blocks = (argc > 1 ? strtoul(argv[1], NULL, 10) : 4) * BLOCKS_PER_SUPERSLAB;

    in_a_thread(blocks);
    in_a_thread(blocks + 10 * BLOCKS_PER_SLAB);
    return 0;
}
