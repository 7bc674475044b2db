/*
 * Pairs of malloc and free, for callgrind and memcheck: a set of blocks, whose places are taken in
 * turn.
 *   pairs PAIRS SIZE [KIND [BLOCKS]]
 *                        KIND: malloc (default), calloc, realloc (to 1.5 of SIZE); BLOCKS: 1,000
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SET 1000

int main(int argc, char **argv)
{
    static char *block[SET];
    const char *kind = argc > 3 ? argv[3] : "malloc";
    long blocks = argc > 4 ? atol(argv[4]) : SET;
    long pairs, size;

    if (argc < 3 || (pairs = atol(argv[1])) < 1 || (size = atol(argv[2])) < 1 || blocks < 1 ||
        blocks > SET) {
        fprintf(stderr, "usage: pairs PAIRS SIZE [malloc|calloc|realloc [BLOCKS]]\n");
        return 2;
    }
    for (long i = 0; i < pairs; i++) {
        char **b = &block[i % blocks];

        free(*b);
        *b = *kind == 'c' ? calloc(1, (size_t)size) : malloc((size_t)size);
        if (*b && *kind == 'r')
            *b = realloc(*b, (size_t)size + (size_t)size / 2);
        if (!*b)
            return 1;
        **b = 1;
    }
    for (int i = 0; i < SET; i++)
        free(block[i]);
    return 0;
}
