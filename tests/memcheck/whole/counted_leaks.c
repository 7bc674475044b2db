/* The block that was lost last is as lost as the others, also a moment later. */
#include <stdio.h>
#include <stdlib.h>
#include <valgrind/memcheck.h>

static void count(const char *after)
{
    unsigned long leaked = 0, dubious = 0, reachable = 0, suppressed = 0;

    VALGRIND_DO_QUICK_LEAK_CHECK;
    VALGRIND_COUNT_LEAKS(leaked, dubious, reachable, suppressed);
    fprintf(stderr, "%s: %lu %lu %lu %lu\n", after, leaked, dubious, reachable, suppressed);
}

int main(void)
{
    void *volatile p;

    for (int i = 0; i < 4; i++) {
        p = malloc(48);
        p = NULL;
    }
    count("small ones");
    p = malloc(50000);
    p = NULL;
    count("a large one");
    return 0;
}
