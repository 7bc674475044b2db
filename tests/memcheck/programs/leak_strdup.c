#include "program.h"

int main(void)
{
    sink = *strdup("lost");
    return 0;
}
