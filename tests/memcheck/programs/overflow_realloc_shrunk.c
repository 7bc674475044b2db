#include "program.h"

int main(int argc, char **argv)
{
    size_t size = argument(argv, 1);
    char *p = realloc(malloc(size), size - 1);

    p[size - 1] = 1;
    free(p);
    (void)argc;
    return 0;
}
