/* Misuse that the allocator notices; the compiler must not. */
#include <stdlib.h>
#include <string.h>

#include "puppet.h"

unsigned long double_free(unsigned long size, unsigned long unused, unsigned long unused2)
{
    void *volatile block = malloc(size);

    free(block);
    free(block);
    return 1;
}

/* The block comes back with the next request, and what was written is seen. */
unsigned long write_after_free(unsigned long size, unsigned long unused, unsigned long unused2)
{
    char *volatile block = malloc(size);

    free(block);
    memset(block, 0, 16);
    block = malloc(size);
    free(block);
    return 1;
}

unsigned long invalid_free(unsigned long size, unsigned long unused, unsigned long unused2)
{
    char *volatile block = malloc(size);

    free(block + 16);
    free(block);
    return 1;
}
