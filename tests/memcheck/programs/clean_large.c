#include "program.h"

int main(void)
{
    for (int i = 0; i < 3; i++) {
        char *p = calloc(1, (size_t)30 << 20);

        p[10 << 20] = 1;
        p = realloc(p, (size_t)31 << 20);
        if (p[10 << 20] != 1)
            abort();
        free(p);
    }
    return 0;
}
