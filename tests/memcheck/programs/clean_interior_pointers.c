#include "program.h"

int main(void)
{
    static char *kept;
    char *p = malloc(1000);

    kept = p + 500;
    p = NULL;
    free(kept - 500);
    return 0;
}
