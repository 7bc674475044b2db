/* refusals [operations]
 *
 * A storm: each operation asks for a block that the shared pool refuses, and keeps it, or the mid
 * pool, and frees it again. What is allocated before fills the caps, which are for whoever runs it
 * to set:
 *
 *   HAKMEM_TINY_CAP=1:1,2:1 HAKMEM_ACE_MID_CAP=1M refusals 400000 */
#include "bench.h"

enum { MOST = 8192 };

static const struct {
    size_t size;
    bool kept;
} kinds[] = {{16, true}, {32, true}, {8192, false}};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static void fill(size_t size)
{
    for (size_t i = 0; i < MOST && i * size <= 2u << 20; i++)
        *(volatile char *)must(malloc(size), size) = 1;
}

int main(int argc, char **argv)
{
    uint64_t operations = arg_number(argc, argv, 1, "operations", 1, 1u << 30, 400000);

    for (unsigned k = 0; k < KINDS; k++)
        fill(kinds[k].size);
    uint64_t start = now_ns();
    for (uint64_t n = 0; n < operations; n++) {
        void *p = must(malloc(kinds[n % KINDS].size), kinds[n % KINDS].size);

        if (!kinds[n % KINDS].kept)
            free(p);
    }
    report("refusals", operations, now_ns() - start);
    return 0;
}
