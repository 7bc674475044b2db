#include "program.h"

int main(void)
{
    int *p = calloc(100, sizeof(*p));
    int *middle = p + 50;

    free(p);
    sink = (char)*middle;
    return 0;
}
