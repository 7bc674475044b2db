#include "program.h"

int main(void)
{
    int *p = malloc(sizeof(*p)), *q = malloc(sizeof(*q));

    *q = *p;
    if (*q)
        sink = 1;
    free(p);
    free(q);
    return 0;
}
