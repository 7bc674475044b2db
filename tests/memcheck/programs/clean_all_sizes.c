#include "program.h"

int main(void)
{
    for (size_t size = 0; size < 3000000; size = size * 5 / 4 + 1) {
        char *p = malloc(size);

        memset(p, 1, size);
        free(p);
    }
    return 0;
}
