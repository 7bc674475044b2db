/* Many blocks are freed, so that lists of a thread overflow to where they came from; between them
 * a, and then, after b, a again. Won: two users get the same block. */
#include "attack.h"

static void *many[600];

static void behind(word n)
{
    void *a, *b;

    for (unsigned i = 0; i < n; i++)
        many[i] = malloc(100);
    a = malloc(100);
    b = malloc(100);
    (void)malloc(100);
    for (unsigned i = 0; i < n; i++)
        free(many[i]);
    free(a);
    free(b);
    free(a);
    go_on(100, 2 * (unsigned)n + 6);
}

int main(void)
{
    static const word numbers[] = {7, 8, 64, 300, 600};

    for (unsigned i = 0; i < 5; i++)
        try_out(behind, numbers[i]);
    return HELD;
}
