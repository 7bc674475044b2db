#include "program.h"

int main(int argc, char **argv)
{
    static char *kept;

    kept = (char *)malloc(argument(argv, 1)) + 8;
    (void)argc;
    return 0;
}
