#include "program.h"

int main(void)
{
    char *p = malloc(100);
    int fds[2];

    memset(p, 0, 50);
    if (pipe(fds) == 0)
        sink = (char)write(fds[1], p, 100);
    free(p);
    return 0;
}
