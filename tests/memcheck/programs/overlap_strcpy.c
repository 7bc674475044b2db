#include "program.h"

int main(void)
{
    char *p = malloc(100);

    strcpy(p, "a longer string");
    strcpy(p, p + 3);
    free(p);
    return 0;
}
