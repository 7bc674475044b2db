#include "program.h"

int main(int argc, char **argv)
{
    char *p = malloc(argument(argv, 1));

    if (p[3])
        sink = 1;
    free(p);
    (void)argc;
    return 0;
}
