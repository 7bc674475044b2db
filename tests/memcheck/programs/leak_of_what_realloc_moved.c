#include "program.h"

int main(void)
{
    char *p = malloc(10);

    p = realloc(p, 1000);
    p = NULL;
    return 0;
}
