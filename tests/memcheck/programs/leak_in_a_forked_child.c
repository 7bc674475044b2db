#include "program.h"

int main(void)
{
    static void *kept;

    kept = malloc(20);
    if (fork() == 0) {
        kept = malloc(30);
        exit(0);
    }
    wait(NULL);
    free(kept);
    return 0;
}
