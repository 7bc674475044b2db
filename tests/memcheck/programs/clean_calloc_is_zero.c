#include "program.h"

int main(void)
{
    for (size_t size = 1; size < 3000000; size = size * 2 + 1) {
        char *p = malloc(size);

        memset(p, 1, size);
        free(p);
        p = calloc(1, size);
        for (size_t i = 0; i < size; i += 1 + size / 100)
            if (p[i])
                abort();
        free(p);
    }
    return 0;
}
