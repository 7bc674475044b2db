#include "program.h"

int main(void)
{
    int *p = malloc(10 * sizeof(*p));

    for (int i = 0; i <= 10; i++)
        p[i] = i;
    free(p);
    return 0;
}
