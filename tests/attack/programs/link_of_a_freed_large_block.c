/* The attacker fills the first words of freed large blocks with an address. Won: malloc returns it,
 * or something is written there. */
#include "attack.h"

static const size_t sizes[] = {2100, 5000, 30000, 100000, 1000000, 4000000};

static void written(word how)
{
    size_t size = sizes[how / ENCODINGS];
    word *a = malloc(size), *b, *c;

    (void)malloc(100);
    b = malloc(size);
    (void)malloc(100);
    c = malloc(size);
    (void)malloc(100);
    free(b);
    free(a);
    free(c);
    if (size >= 1000000)
        exit(HELD); /* its memory may be gone: nothing to write to */
    for (unsigned i = 0; i < 8; i++)
        a[i] = b[i] = encode(how % ENCODINGS, a, &target[8]);
    go_on(size, 4);
    go_on(size / 2, 4);
    expect_untouched();
}

int main(void)
{
    for (word how = 0; how < sizeof(sizes) / sizeof(sizes[0]) * ENCODINGS; how++)
        try_out(written, how);
    return HELD;
}
