/* So many lost blocks that some would seem to be pointed to by numbers that are no pointers. */
#include <stdlib.h>
#include <string.h>

int main(void)
{
    for (size_t i = 0; i < 3000; i++) {
        size_t size = 16 + i * 7 % 1500;

        memset(malloc(size), 1, size);
    }
    return 0;
}
