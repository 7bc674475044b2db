#include "program.h"

int main(int argc, char **argv)
{
    char *p = memalign(argument(argv, 1), 100);

    free(p);
    p[50] = 1;
    (void)argc;
    return 0;
}
