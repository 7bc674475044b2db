#include "program.h"

int main(int argc, char **argv)
{
    size_t size = argument(argv, 1);
    char *p = malloc(size);

    p[size + argument(argv, 2) - 1] = 1;
    free(p);
    (void)argc;
    return 0;
}
