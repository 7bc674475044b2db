#include "program.h"

int main(void)
{
    char *p = malloc(100);

    strcpy(p, "a longer string");
    strcpy(p + 3, p);
    free(p);
    return 0;
}
