/* calloc_reuse [small|large] [operations] [slots]
 *
 * Slots that calloc fills and free empties in random order, so that most blocks were used before:
 * 16 to 1,040 bytes, or 64 KiB to 1 MiB. All of a small block is written, and of a large one a byte
 * a page; before that it must be zero where it is looked at. An operation is one calloc or free. */
#include "bench.h"

enum { SLOTS_MAX = 65536, PAGE = 4096 };

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "small";
    bool small = !strcmp(mode, "small");
    static struct {
        unsigned char *p;
        uint32_t size;
    } slot[SLOTS_MAX];
    char name[32];
    bench_rng rng;

    if (!small && strcmp(mode, "large"))
        die("mode '%s': small or large", mode);
    uint64_t operations =
        arg_number(argc, argv, 2, "operations", 1, 1u << 30, small ? 5000000 : 20000);
    uint64_t slots = arg_number(argc, argv, 3, "slots", 1, SLOTS_MAX, small ? 4096 : 32);
    uint32_t low = small ? 16 : 65536, range = small ? 1025 : (1u << 20) - 65536 + 1;
    uint32_t step = small ? 64 : PAGE;

    rng_seed(&rng, 1);
    uint64_t start = now_ns();
    for (uint64_t n = 0; n < operations; n++) {
        uint32_t i = rng_below(&rng, (uint32_t)slots);

        if (slot[i].p) {
            free(slot[i].p);
            slot[i].p = NULL;
            continue;
        }
        slot[i].size = low + rng_below(&rng, range);
        slot[i].p = must(calloc(1, slot[i].size), slot[i].size);
        for (uint32_t at = 0; at < slot[i].size; at += step)
            if (slot[i].p[at])
                die("calloc(%u): byte %u is not zero", slot[i].size, at);
        if (small)
            memset(slot[i].p, 0xff, slot[i].size);
        else
            for (uint32_t at = 0; at < slot[i].size; at += step)
                slot[i].p[at] = 0xff;
    }
    snprintf(name, sizeof name, "calloc_%s", mode);
    report(name, operations, now_ns() - start);
    return 0;
}
