#include "program.h"

int main(void)
{
    char *p = calloc(1, 100);

    if (fork() == 0) {
        be_busy(1000);
        free(p);
        exit(0);
    }
    wait(NULL);
    be_busy(1000);
    free(p);
    return 0;
}
