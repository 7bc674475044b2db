#include "program.h"

int main(void)
{
    char *p = malloc(20);

    snprintf(p, 30, "%s", "more than twenty bytes of it");
    free(p);
    return 0;
}
