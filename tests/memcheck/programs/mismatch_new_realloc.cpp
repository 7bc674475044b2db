#include "program.h"

int main(void)
{
    void *p = new long;

    free(realloc(p, 100));
    return 0;
}
