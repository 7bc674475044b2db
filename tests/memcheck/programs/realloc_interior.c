#include "program.h"

int main(void)
{
    char *p = malloc(100);
    char *q = realloc(p + 8, 200);

    free(q);
    free(p);
    return 0;
}
