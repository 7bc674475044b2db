#include "program.h"

int main(void)
{
    void *p = malloc(0), *q = calloc(0, 5);

    if (!p || !q || p == q)
        abort();
    free(p);
    free(q);
    free(realloc(malloc(0), 10));
    free(NULL);
    return 0;
}
