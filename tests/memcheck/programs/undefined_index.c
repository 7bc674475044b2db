#include "program.h"

int main(void)
{
    int *p = malloc(sizeof(*p)), table[4] = {0};

    sink = (char)table[*p & 3];
    free(p);
    return 0;
}
