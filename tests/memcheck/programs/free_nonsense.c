#include "program.h"

int main(void)
{
    free((void *)0x123456789abc0);
    return 0;
}
