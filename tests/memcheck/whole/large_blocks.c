/* A GiB of which two pages are touched. */
#include <stdlib.h>

int main(void)
{
    size_t size = (size_t)1 << 30;
    char *p = malloc(size);

    p[0] = p[size - 1] = 1;
    free(p);
    return 0;
}
