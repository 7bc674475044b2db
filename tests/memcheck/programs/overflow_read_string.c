#include "program.h"

int main(void)
{
    char *p = malloc(8);

    memset(p, 'x', 8);
    sink = (char)strlen(p);
    free(p);
    return 0;
}
