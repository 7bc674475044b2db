#include "program.h"

int main(int argc, char **argv)
{
    static void **holder;

    holder = calloc(1, argument(argv, 1));
    holder[10] = malloc(77);
    holder[20] = calloc(1, argument(argv, 1));
    holder = NULL;
    (void)argc;
    return 0;
}
