#include "program.h"

int main(void)
{
    char *p = new char;

    free(p);
    return 0;
}
