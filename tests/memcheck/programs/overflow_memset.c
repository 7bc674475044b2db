#include "program.h"

int main(void)
{
    char *p = malloc(64);

    memset(p, 0, 65);
    free(p);
    return 0;
}
