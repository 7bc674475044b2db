#include "program.h"

int main(void)
{
    char *p = malloc(100);

    free(p);
    if (fork() == 0) {
        p[1] = 1;
        _exit(0);
    }
    wait(NULL);
    return 0;
}
