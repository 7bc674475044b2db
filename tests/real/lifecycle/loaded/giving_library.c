/* A plug-in whose blocks the program frees, and that frees the program's. */
#include <stdlib.h>
#include <string.h>

char *giving_make(size_t size);

char *giving_make(size_t size)
{
    char *p = malloc(size);

    memset(p, 'p', size);
    return p;
}

void *giving_grow(void *p, size_t size);

void *giving_grow(void *p, size_t size)
{
    return realloc(p, size);
}

void giving_free(void *p);

void giving_free(void *p)
{
    free(p);
}
