/* Blocks of all sizes, for tools that add up who has how much. */
#include <stdlib.h>
#include <string.h>

static void *filled(size_t size)
{
    return memset(malloc(size), 1, size);
}

int main(void)
{
    void *block[500];
    char *zeros;

    for (size_t i = 0; i < 500; i++)
        block[i] = filled(100 + i * 9);
    for (size_t i = 0; i < 500; i += 2)
        free(block[i]);
    free(realloc(filled(3 << 20), 5 << 20));
    zeros = calloc(50, 100);
    zeros[1] = 1;
    return 0;
}
