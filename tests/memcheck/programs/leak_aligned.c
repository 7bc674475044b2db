#include "program.h"

int main(void)
{
    sink = (char)(uintptr_t)memalign(256, 500);
    return 0;
}
