#include "program.h"

static void *release(void *p)
{
    free(p);
    return NULL;
}

int main(void)
{
    char *p = malloc(100);

    run_thread(release, p);
    p[99] = 1;
    return 0;
}
