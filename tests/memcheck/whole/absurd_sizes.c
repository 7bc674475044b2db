/* Numbers of bytes that no program means. */
#include <malloc.h>
#include <stdlib.h>

int main(void)
{
    volatile size_t absurd = (size_t)-7, none = 0;
    void *volatile p;

    p = malloc(absurd);
    p = calloc(none, absurd);
    p = calloc(absurd, none);
    p = calloc(absurd, 2);
    p = realloc(malloc(30), absurd);
    p = memalign(64, absurd);
    return p != NULL;
}
