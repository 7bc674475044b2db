/* Sizes that depend on nothing defined: each is told once. */
#include <malloc.h>
#include <stdlib.h>

static size_t junk(void)
{
    volatile size_t *p = malloc(16);
    size_t word = p[1];

    free((void *)p);
    return word;
}

#define UNDEFINED(n) (junk() - junk() + (n))

int main(int argc, char **argv)
{
    size_t more = argc > 1 ? 100000 : 0;
    char *p = malloc(UNDEFINED(16 + more));

    p = realloc(p, UNDEFINED(300 + more));
    free(p);
    free(calloc(UNDEFINED(3 + more), 8));
    free(calloc(3, UNDEFINED(16 + more)));
    free(memalign(64, UNDEFINED(16 + more)));
    return 0;
}
