#include "program.h"

int main(void)
{
    char *p = malloc(64), to[64];

    memset(p, 1, 64);
    free(p);
    memcpy(to, p, 64);
    return 0;
}
