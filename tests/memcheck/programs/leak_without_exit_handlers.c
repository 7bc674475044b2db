#include "program.h"

int main(void)
{
    sink = (char)(uintptr_t)malloc(123);
    _exit(0);
    return 0;
}
