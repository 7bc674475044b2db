#include "program.h"

int main(void)
{
    char *p = malloc(100);
    char *q = realloc(p, 10000);

    free(p);
    free(q);
    return 0;
}
