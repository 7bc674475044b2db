#include "program.h"

int main(void)
{
    char *p = malloc(13);

    *(volatile int *)(p + 10) = 1;
    free(p);
    return 0;
}
