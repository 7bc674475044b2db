#include "program.h"

int main(void)
{
    for (size_t align = 8; align <= 65536; align *= 2)
        for (size_t size = 1; size < 100000; size *= 7) {
            char *p = memalign(align, size);

            if ((uintptr_t)p % align)
                abort();
            memset(p, 0, size);
            free(p);
        }
    return 0;
}
