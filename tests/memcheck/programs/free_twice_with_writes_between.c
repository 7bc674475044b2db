#include "program.h"

int main(void)
{
    char *p = malloc(100);

    free(p);
    memset(p, 0, 100);
    free(p);
    be_busy(1000);
    return 0;
}
