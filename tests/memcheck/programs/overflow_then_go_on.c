#include "program.h"

/* What a stray write damages must not hurt the allocator. */
int main(void)
{
    for (int i = 0; i < 200; i++) {
        char *p = malloc(40);

        memset(p - 8, 0xff, 8);
        memset(p + 40, 0xff, 8);
        free(realloc(p, 80));
    }
    be_busy(1000);
    return 0;
}
