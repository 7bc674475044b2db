#include "program.h"

int main(void)
{
    void **p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *p = malloc(88);
    return 0;
}
