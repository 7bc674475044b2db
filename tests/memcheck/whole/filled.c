/* Shows what blocks are filled with, before and after their life. */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    unsigned char *small = malloc(40), *large = malloc(9000);

    printf("%x %x\n", small[7], large[8000]);
    free(small);
    free(large);
    printf("%x %x\n", small[30], large[8000]);
    return 0;
}
