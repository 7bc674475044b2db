#include "program.h"

int main(void)
{
    char *p = malloc(10), *q = calloc(1, 10);

    if (memcmp(p, q, 10) == 0)
        sink = 1;
    free(p);
    free(q);
    return 0;
}
