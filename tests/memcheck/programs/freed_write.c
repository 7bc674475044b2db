#include "program.h"

int main(int argc, char **argv)
{
    char *p = malloc(argument(argv, 1));

    free(p);
    p[argument(argv, 1) - 1] = 1;
    (void)argc;
    return 0;
}
