#include "program.h"

int main(void)
{
    free((void *)(uintptr_t)main);
    return 0;
}
