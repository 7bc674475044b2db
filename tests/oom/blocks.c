/* Blocks that are kept, in the order in which they came. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "puppet.h"

enum { MANY = 1 << 22, PAGE = 4096 };

/* Not malloc's. */
static char *kept[MANY];
static size_t count;

static void fill(char *block, size_t size)
{
    for (size_t at = 0; at < size; at += PAGE)
        block[at] = 1;
}

static char *filled(size_t size)
{
    char *block = malloc(size);

    if (block)
        fill(block, size);
    return block;
}

unsigned long hold(unsigned long size, unsigned long wanted, unsigned long unused)
{
    unsigned long had = 0;

    while (had < wanted && count < MANY && (kept[count] = filled(size))) {
        count++;
        had++;
    }
    return had;
}

unsigned long ask(unsigned long size, unsigned long wanted, unsigned long unused)
{
    unsigned long had = 0;

    while (had < wanted && count < MANY && (kept[count] = malloc(size))) {
        count++;
        had++;
    }
    return had;
}

unsigned long thin(unsigned long n, unsigned long unused, unsigned long unused2)
{
    size_t left = 0;

    for (size_t i = 0; i < count; i++) {
        if (n && i % n == 0)
            kept[left++] = kept[i];
        else
            free(kept[i]);
    }
    count = left;
    return left;
}

unsigned long drop(unsigned long unused, unsigned long unused2, unsigned long unused3)
{
    thin(0, 0, 0);
    return malloc_trim(0);
}

unsigned long churn(unsigned long size, unsigned long wanted, unsigned long rounds)
{
    size_t before = count;

    for (unsigned long round = 0; round < rounds; round++) {
        hold(size, wanted, 0);
        while (count > before)
            free(kept[--count]);
    }
    return rounds;
}

/* Looks often, not at every block: it means reading files. */
unsigned long grow_to(unsigned long percent, unsigned long size, unsigned long unused)
{
    enum { STRIDE = 256 << 10 };

    while (percent_used() < percent && hold(size, STRIDE / size + 1, 0))
        ;
    return count;
}
