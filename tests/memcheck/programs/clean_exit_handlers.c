#include "program.h"

static void *kept;

static void release(void)
{
    free(kept);
    free(calloc(1, 5000));
}

int main(void)
{
    kept = malloc(100);
    atexit(release);
    return 0;
}
