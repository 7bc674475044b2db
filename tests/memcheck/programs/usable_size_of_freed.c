#include "program.h"

int main(void)
{
    char *p = malloc(100);

    free(p);
    sink = (char)malloc_usable_size(p);
    return 0;
}
