#include "program.h"

int main(void)
{
    int *p = static_cast<int *>(malloc(sizeof(*p)));

    delete p;
    return 0;
}
