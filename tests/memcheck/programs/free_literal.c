#include "program.h"

int main(void)
{
    free((char *)"text");
    return 0;
}
