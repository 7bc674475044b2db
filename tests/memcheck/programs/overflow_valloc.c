#include "program.h"

int main(void)
{
    char *p = valloc(5000);

    p[5000] = 1;
    free(p);
    return 0;
}
