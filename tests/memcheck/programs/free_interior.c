#include "program.h"

int main(int argc, char **argv)
{
    char *p = malloc(argument(argv, 1));

    free(p + argument(argv, 2));
    free(p);
    (void)argc;
    return 0;
}
