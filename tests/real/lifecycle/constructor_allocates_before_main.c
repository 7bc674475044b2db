/* Blocks that constructors allocate, the earliest possible one included, are ordinary blocks. */
#include "check.h"

enum { BLOCKS = 500 };

static unsigned char *early[BLOCKS], *late[BLOCKS];

static void take(unsigned char **blocks, unsigned char stamp)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(i * 7);
        CHECK(blocks[i], "NULL for %zu bytes before main", i * 7);
        fill(blocks[i], i * 7, stamp);
    }
}

__attribute__((constructor(101))) static void earliest(void)
{
    take(early, 0x11);
    for (size_t i = 0; i < BLOCKS; i += 3) {
        free(early[i]);
        early[i] = NULL;
    }
}

__attribute__((constructor)) static void usual(void)
{
    take(late, 0x22);
}

int main(void)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        CHECK(!early[i] || holds(early[i], i * 7, 0x11), "a changed block of %zu bytes", i * 7);
        CHECK(holds(late[i], i * 7, 0x22), "a changed block of %zu bytes", i * 7);
        early[i] = realloc(early[i], i * 7 + 100);
        CHECK(early[i], "NULL from realloc");
        free(early[i]);
        free(late[i]);
    }
    puts("constructors' blocks outlived them");
    return 0;
}
