#include "program.h"

static void *lose(void *p)
{
    for (size_t size = 10; size < 100000; size *= 10)
        p = malloc(size);
    return NULL;
}

int main(void)
{
    run_thread(lose, NULL);
    return 0;
}
