#include "program.h"

int main(void)
{
    char *p = calloc(1, 100);

    memcpy(p, p + 10, 50);
    free(p);
    return 0;
}
