#include "program.h"

int main(void)
{
    for (size_t size = 1; size < 100000; size = size * 3 + 1) {
        char *p = malloc(size);

        memset(p, 1, malloc_usable_size(p));
        free(p);
    }
    return 0;
}
