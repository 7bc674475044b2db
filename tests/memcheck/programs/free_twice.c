#include "program.h"

int main(int argc, char **argv)
{
    char *p = malloc(argument(argv, 1));

    free(p);
    free(p);
    (void)argc;
    return 0;
}
