#include "program.h"

static char *p[100];

static void *release(void *unused)
{
    for (int i = 0; i < 100; i++)
        free(p[i]);
    return unused;
}

int main(void)
{
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 100; i++)
            memset(p[i] = malloc((size_t)(i * 30 + 1)), 1, (size_t)(i * 30 + 1));
        run_thread(release, NULL);
    }
    return 0;
}
