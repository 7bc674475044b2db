#include "program.h"

int main(int argc, char **argv)
{
    sink = (char)(uintptr_t)malloc(argument(argv, 1));
    (void)argc;
    return 0;
}
