#include "program.h"

int main(void)
{
    char *p = strdup("a string");

    free(p);
    printf("%s\n", p);
    return 0;
}
