#include "program.h"

int main(int argc, char **argv)
{
    void *p;

    if (posix_memalign(&p, argument(argv, 1), 1000) == 0)
        ((char *)p)[1000] = 1;
    free(p);
    (void)argc;
    return 0;
}
