/* Writes as far from a block as red zones reach that are asked for, and not the usual ones. */
#include <stdlib.h>

int main(void)
{
    char *block[6];

    for (int i = 0; i < 6; i++)
        block[i] = malloc(72);
    block[1][72 + 90] = 1;
    block[3][-100] = 2;
    block[4][72] = 3;
    for (int i = 0; i < 6; i++)
        free(block[i]);
    return 0;
}
