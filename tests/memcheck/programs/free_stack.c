#include "program.h"

int main(void)
{
    char local[64] = {0};

    free(local);
    return 0;
}
