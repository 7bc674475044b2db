#include "program.h"

int main(void)
{
    struct gap {
        char c;
        long l;
    } *p = malloc(sizeof(*p)), *q = malloc(sizeof(*q));

    p->c = 1;
    p->l = 2;
    *q = *p;
    if (q->c != 1 || q->l != 2)
        abort();
    free(p);
    free(q);
    return 0;
}
