#include "program.h"

/* The block next to the overflowing one is live, whichever that is. */
int main(void)
{
    enum { BLOCKS = 5000 };
    static char *p[BLOCKS];

    for (int i = 0; i < BLOCKS; i++)
        p[i] = malloc(24);
    for (int i = 1000; i < 1003; i++)
        p[i][24] = 1;
    for (int i = 0; i < BLOCKS; i++)
        free(p[i]);
    return 0;
}
