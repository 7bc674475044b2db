/* Has a malloc of its own, in whose place Valgrind puts its own. */
#include <stddef.h>

static char memory[1 << 16];
static size_t used;

void *malloc(size_t size)
{
    used += size;
    return memory + used - size;
}

void free(void *p)
{
    (void)p;
}

int main(void)
{
    char *p = malloc(20), *q = malloc(200);

    p[20] = 1;
    free(q);
    q[9] = 1;
    return 0;
}
