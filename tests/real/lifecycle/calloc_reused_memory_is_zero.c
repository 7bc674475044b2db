/* calloc's memory is zero to its last byte, also where others' dirty blocks have just been. */
#include <malloc.h>

#include "check.h"

enum { BLOCKS = 300 };

static const size_t sizes[] = {1,     7,     8,     9,      16,      24,     48,   100,
                               256,   500,   1024,  1500,   2048,    2049,   4096, 10000,
                               32768, 40000, 65536, 200000, 1048576, 1100000};

int main(void)
{
    static unsigned char *blocks[BLOCKS];

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t size = sizes[s], count = size > 50000 ? 8 : BLOCKS;

        for (int round = 0; round < 4; round++) {
            for (size_t i = 0; i < count; i++) {
                blocks[i] = malloc(size);
                CHECK(blocks[i], "NULL for %zu bytes", size);
                fill(blocks[i], malloc_usable_size(blocks[i]), 0xdd);
            }
            for (size_t i = 0; i < count; i++)
                free(blocks[i]);
            for (size_t i = 0; i < count; i++) {
                blocks[i] = i % 2 ? calloc(1, size) : calloc(size, 1);
                CHECK(blocks[i], "NULL for %zu bytes", size);
                CHECK(holds(blocks[i], size, 0), "dirty bytes in calloc of %zu", size);
                fill(blocks[i], size, 0xee);
            }
            for (size_t i = 0; i < count; i++)
                free(blocks[i]);
        }
    }
    puts("all zero");
    return 0;
}
