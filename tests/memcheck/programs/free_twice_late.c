#include "program.h"

int main(int argc, char **argv)
{
    char *p = malloc(argument(argv, 1));

    free(p);
    be_busy(10000);
    free(p);
    (void)argc;
    return 0;
}
