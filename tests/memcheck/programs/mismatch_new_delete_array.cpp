#include "program.h"

int main(void)
{
    int *p = new int;

    delete[] p;
    return 0;
}
