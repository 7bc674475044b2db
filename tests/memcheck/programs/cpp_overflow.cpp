#include "program.h"

int main(void)
{
    int *p = new int[10];

    p[10] = 1;
    delete[] p;
    return 0;
}
