#include "program.h"

int main(void)
{
    char *p = calloc(1, 100);

    if (fork() == 0) {
        execl("/bin/true", "true", NULL);
        _exit(1);
    }
    wait(NULL);
    free(p);
    return 0;
}
