#include "program.h"

int main(void)
{
    int *p = new int[10];

    delete p;
    return 0;
}
