#include "program.h"

int main(void)
{
    struct pair {
        int a, b;
    } *p = malloc(sizeof(*p));

    p->a = 1;
    if (p->a == p->b)
        sink = 1;
    free(p);
    return 0;
}
