#include "program.h"

int main(int argc, char **argv)
{
    char *p = malloc(argument(argv, 1));

    p[0] = 1;
    free(p);
    sink = p[0];
    (void)argc;
    return 0;
}
