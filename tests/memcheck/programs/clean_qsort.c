#include "program.h"

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

int main(void)
{
    int *p = malloc(5000 * sizeof(*p));

    for (int i = 0; i < 5000; i++)
        p[i] = i * 7919 % 5000;
    qsort(p, 5000, sizeof(*p), compare);
    for (int i = 0; i < 5000; i++)
        if (p[i] != i)
            abort();
    free(p);
    return 0;
}
