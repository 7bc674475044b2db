#include "program.h"

int main(int argc, char **argv)
{
    char *p = malloc(argument(argv, 1));

    sink = p[-argument(argv, 2)];
    free(p);
    (void)argc;
    return 0;
}
