#include "program.h"

int main(int argc, char **argv)
{
    char *p = calloc(1, argument(argv, 1));

    p = realloc(p, argument(argv, 1) * 2);
    if (p[0])
        sink = 1;
    if (p[argument(argv, 1)])
        sink = 1;
    free(p);
    (void)argc;
    return 0;
}
