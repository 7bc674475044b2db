#include "program.h"

int main(void)
{
    int *p = malloc(sizeof(*p));

    printf("%d\n", *p);
    free(p);
    return 0;
}
