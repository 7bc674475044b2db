#include "program.h"

int main(int argc, char **argv)
{
    static void *kept;

    kept = malloc(argument(argv, 1));
    (void)argc;
    return 0;
}
