/* large_churn [touched|untouched] [operations] [slots] [seed]
 *
 * As random_mixed, with sizes from 4 KiB to 2 MiB, each doubling as likely: an operation picks a
 * slot and frees what is there, or allocates if nothing is. `touched` writes one byte of every
 * page, so that page faults count; `untouched` the first byte only. */
#include "bench.h"

enum { PAGE = 4096, SLOTS_MAX = 4096, LOW_LG = 12, HIGH_LG = 21 };

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "touched";
    bool touched = !strcmp(mode, "touched");
    static struct {
        unsigned char *p;
        uint32_t size;
    } slot[SLOTS_MAX];
    char name[32];
    bench_rng rng;

    if (!touched && strcmp(mode, "untouched"))
        die("mode '%s': touched or untouched", mode);
    uint64_t operations =
        arg_number(argc, argv, 2, "operations", 1, 1u << 30, touched ? 100000 : 1000000);
    uint64_t slots = arg_number(argc, argv, 3, "slots", 1, SLOTS_MAX, 64);
    rng_seed(&rng, arg_number(argc, argv, 4, "seed", 0, UINT64_MAX, 1));
    uint64_t start = now_ns();
    for (uint64_t n = 0; n < operations; n++) {
        uint32_t i = rng_below(&rng, (uint32_t)slots);

        if (slot[i].p) {
            if (slot[i].p[0] != (unsigned char)i)
                die("block %p: first byte %02x, written %02x", (void *)slot[i].p, slot[i].p[0],
                    (unsigned char)i);
            free(slot[i].p);
            slot[i].p = NULL;
            continue;
        }
        uint32_t low = 1u << (LOW_LG + rng_below(&rng, HIGH_LG - LOW_LG));

        slot[i].size = low + rng_below(&rng, low);
        slot[i].p = must(malloc(slot[i].size), slot[i].size);
        for (uint32_t at = 0; at < (touched ? slot[i].size : 1); at += PAGE)
            slot[i].p[at] = (unsigned char)i;
    }
    snprintf(name, sizeof name, "large_churn_%s", mode);
    report(name, operations, now_ns() - start);
    for (uint64_t i = 0; i < slots; i++)
        free(slot[i].p);
    return 0;
}
