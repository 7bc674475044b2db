#include "program.h"

int main(int argc, char **argv)
{
    char *p = memalign(argument(argv, 1), 100);

    p[100] = 1;
    free(p);
    (void)argc;
    return 0;
}
