#include "program.h"

/* More than waits in quarantine. */
int main(void)
{
    for (int i = 0; i < 600; i++) {
        size_t size = (size_t)(i * 977 % 90000 + 1000);
        char *p = malloc(size);

        memset(p, i, size);
        for (size_t at = 0; at < size; at += 500)
            if (p[at] != (char)i)
                abort();
        free(p);
    }
    return 0;
}
