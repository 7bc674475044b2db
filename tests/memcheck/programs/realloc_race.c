#include "program.h"

static char *old;

/* Both of two threads grow the buffer that they found. */
static void *grow(void *p)
{
    old = *(char **)p;
    *(char **)p = realloc(old, 200);
    return NULL;
}

static void *grow_old(void *p)
{
    char *mine = realloc(old, 300);

    free(mine);
    free(p);
    return NULL;
}

int main(void)
{
    char *p = malloc(100);

    run_thread(grow, &p);
    run_thread(grow_old, p);
    return 0;
}
