#include "program.h"

int main(void)
{
    int *p = memalign(64, 64);

    if (p[15])
        sink = 1;
    free(p);
    return 0;
}
