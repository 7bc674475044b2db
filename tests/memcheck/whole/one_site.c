/* What one line lost is one finding, whatever the sizes. */
#include <stdlib.h>

int main(void)
{
    for (size_t size = 8; size < 100000; size *= 3) {
        void *volatile p = malloc(size);

        p = calloc(size, 2);
        p = NULL;
    }
    return 0;
}
