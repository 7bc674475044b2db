#include "program.h"

static void *use(void *p)
{
    ((char *)p)[5] = 1;
    return NULL;
}

int main(void)
{
    char *p = malloc(3000);

    free(p);
    run_thread(use, p);
    return 0;
}
