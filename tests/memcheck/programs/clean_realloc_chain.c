#include "program.h"

int main(void)
{
    char *p = NULL;

    for (size_t size = 1; size < 2000000; size = size * 3 / 2 + 1) {
        p = realloc(p, size);
        p[size - 1] = 1;
        if (size > 8 && p[3] != 3)
            abort();
        if (size > 3)
            p[3] = 3;
    }
    for (size_t size = 1000000; size > 10; size /= 3)
        p = realloc(p, size);
    if (p[3] != 3)
        abort();
    free(p);
    return 0;
}
