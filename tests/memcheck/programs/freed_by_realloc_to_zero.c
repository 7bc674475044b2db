#include "program.h"

int main(void)
{
    char *p = malloc(10);

    sink = realloc(p, 0) == NULL;
    p[0] = 1;
    return 0;
}
