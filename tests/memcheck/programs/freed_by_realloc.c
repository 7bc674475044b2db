#include "program.h"

int main(int argc, char **argv)
{
    char *p = malloc(argument(argv, 1));
    char *q = realloc(p, argument(argv, 2));

    p[0] = 1;
    free(q);
    (void)argc;
    return 0;
}
