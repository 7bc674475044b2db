#include "program.h"

int main(void)
{
    uintptr_t hidden = ~(uintptr_t)malloc(100);

    free((void *)~hidden);
    return 0;
}
