#include "program.h"

int main(int argc, char **argv)
{
    size_t size = (size_t)-argument(argv, 1);

    free(malloc(size));
    free(realloc(malloc(1), size));
    free(calloc(1, size));
    (void)argc;
    return 0;
}
