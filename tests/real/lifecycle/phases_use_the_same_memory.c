/* A program that lives in phases of a second, each with blocks of another size, needs little more
 * than its largest phase: what one phase freed serves the next, or is back at the system. */
#include "check.h"

enum { PHASE_MB = 64, MOST = PHASE_MB << 16 };

static unsigned char *blocks[MOST];

int main(void)
{
    static const size_t sizes[] = {24, 3000, 70000, 3000000, 1000};
    long before, most = 0;

    fill(blocks, sizeof blocks, 0);
    before = resident_kb();
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t n = ((size_t)PHASE_MB << 20) / (sizes[s] < 16 ? 16 : sizes[s]);
        long now;

        for (size_t i = 0; i < n; i++) {
            blocks[i] = malloc(sizes[s]);
            CHECK(blocks[i], "NULL for %zu bytes", sizes[s]);
            fill(blocks[i], sizes[s], (unsigned char)i);
        }
        now = resident_kb() - before;
        if (now > most)
            most = now;
        for (size_t i = 0; i < n; i++) {
            CHECK(holds(blocks[i], sizes[s], (unsigned char)i), "block %zu of %zu changed", i, n);
            free(blocks[i]);
        }
        nanosleep(&(struct timespec){1, 0}, NULL);
    }
    printf("note: at most %ld MiB in phases of %d MiB\n", most >> 10, PHASE_MB);
    if (with_hakmem())
        CHECK(most < PHASE_MB << 11, "%ld MiB", most >> 10);
    puts("5 phases");
    return 0;
}
