#include "program.h"

int main(int argc, char **argv)
{
    size_t n = argument(argv, 1);
    int *p = calloc(n, sizeof(*p));

    p[n] = 1;
    free(p);
    (void)argc;
    return 0;
}
