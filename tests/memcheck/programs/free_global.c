#include "program.h"

static char global[64];

int main(void)
{
    free(global);
    return 0;
}
