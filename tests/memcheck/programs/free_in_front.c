#include "program.h"

int main(void)
{
    char *p = malloc(100);

    free(p - 16);
    free(p);
    return 0;
}
