#include "program.h"

int main(int argc, char **argv)
{
    char *p = calloc(1, argument(argv, 1));

    free(p);
    be_busy(10000);
    sink = p[1];
    (void)argc;
    return 0;
}
