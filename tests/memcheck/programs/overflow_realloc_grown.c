#include "program.h"

int main(int argc, char **argv)
{
    size_t size = argument(argv, 1);
    char *p = realloc(malloc(size), size * 2);

    p[size * 2] = 1;
    free(p);
    (void)argc;
    return 0;
}
