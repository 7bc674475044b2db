#include "program.h"

int main(void)
{
    char *p = malloc(5);

    strcpy(p, "hello");
    free(p);
    return 0;
}
