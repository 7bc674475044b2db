#include "program.h"

int main(int argc, char **argv)
{
    char *p = aligned_alloc(argument(argv, 1), 8192);

    p[8192] = 1;
    free(p);
    (void)argc;
    return 0;
}
