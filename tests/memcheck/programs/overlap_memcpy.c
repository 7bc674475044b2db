#include "program.h"

int main(void)
{
    char *p = calloc(1, 100);

    memcpy(p + 10, p, 50);
    free(p);
    return 0;
}
