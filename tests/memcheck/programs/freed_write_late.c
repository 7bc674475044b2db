#include "program.h"

int main(int argc, char **argv)
{
    char *p = malloc(argument(argv, 1));

    free(p);
    be_busy(10000);
    p[1] = 1;
    be_busy(1000);
    (void)argc;
    return 0;
}
