#include "program.h"

int main(void)
{
    char *p = calloc(1, 64);
    int fds[2];

    free(p);
    if (pipe(fds) == 0)
        sink = (char)write(fds[1], p, 64);
    return 0;
}
