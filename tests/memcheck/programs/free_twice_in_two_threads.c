#include "program.h"

static void *release(void *p)
{
    free(p);
    return NULL;
}

int main(void)
{
    char *p = malloc(50);

    run_thread(release, p);
    run_thread(release, p);
    return 0;
}
