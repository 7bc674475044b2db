#include "program.h"

int main(int argc, char **argv)
{
    char *p = malloc(argument(argv, 1));

    free(p);
    p = realloc(p, 200);
    free(p);
    (void)argc;
    return 0;
}
