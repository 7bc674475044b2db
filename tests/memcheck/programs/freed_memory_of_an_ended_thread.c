#include "program.h"

static void *make(void *to)
{
    *(char **)to = calloc(1, 200);
    return NULL;
}

int main(void)
{
    char *p;

    run_thread(make, &p);
    free(p);
    be_busy(100);
    sink = p[0];
    return 0;
}
