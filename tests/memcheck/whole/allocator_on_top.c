/* Cuts blocks from blocks of malloc's, of several sizes, and says so; one is lost. */
#include <stdlib.h>
#include <valgrind/memcheck.h>

static char *pools[4];

int main(void)
{
    for (int i = 0; i < 4; i++) {
        size_t size = (size_t)700 << (i * 3);
        char *pool = malloc(size);

        VALGRIND_MAKE_MEM_NOACCESS(pool, size);
        VALGRIND_MALLOCLIKE_BLOCK(pool + 64, 32, 16, 0);
        VALGRIND_MALLOCLIKE_BLOCK(pool + 256, 100, 16, 0);
        pool[64] = 1;
        pool[256 + 100] = 2;
        VALGRIND_FREELIKE_BLOCK(pool + 64, 16);
        pool[65] = 3;
        pools[i] = i ? pool + 256 : NULL;
    }
    return 0;
}
